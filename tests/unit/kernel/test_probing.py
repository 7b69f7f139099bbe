"""How probes are asked for: what the kernel is given, what is said where it has none. On the fake kernel."""

import os
import struct
from itertools import count
from pathlib import Path

import pytest

from skep.base.errors import BadInput, KernelError, Unsupported
from skep.kernel import perf
from skep.kernel.bpf import memory
from skep.kernel.commands import Command
from skep.kernel.links import attach
from skep.kernel.perf import NoSource, Probe
from skep.kernel.probing import singly, static_spots, static_ways
from skep.kernel.programs import Program
from skep.testing.door import FakeDoor
from skep.testing.fake_objects import FakeBlob, FakeLink
from tests.unit.kernel.elves import BASE, SHIFT, TEXT, Function, elf, note
from tests.unit.kernel.samples import program

FUNCTIONS = (Function("alpha", BASE + 0x10), Function("beta", BASE + 0x20))


class Door(FakeDoor):
    """Remembers the events that it opened: (type, config, name, offset, pid, cpu)."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[tuple[int, int, str, int, int, int]] = []

    def perf_event_open(self, attr: bytes, pid: int, cpu: int) -> int:
        """See FakeDoor."""
        kind, _, config = struct.unpack_from("<IIQ", attr)
        at, offset = struct.unpack_from("<QQ", attr, 56)
        size = next(i for i in count() if not memory(at + i, 1)[0]) if at else 0
        text = bytes(memory(at, size)).decode() if at else ""
        self.events.append((kind, config, text, offset, pid, cpu))
        return super().perf_event_open(attr, pid, cpu)


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
def sources(tmp_path: Path) -> str:
    """The kernel's sources of events, as sysfs shows them."""
    for name, number in (("kprobe", 8), ("uprobe", 9)):
        (tmp_path / name / "format").mkdir(parents=True)
        (tmp_path / name / "type").write_text(f"{number}\n")
        (tmp_path / name / "format" / "retprobe").write_text("config:0\n")
        (tmp_path / name / "format" / "ref_ctr_offset").write_text("config:32-63\n")
    return str(tmp_path)


@pytest.fixture
def app(tmp_path: Path) -> str:
    path = tmp_path / "app"
    notes = note("p:one", "8@%rbx", BASE + 8, semaphore=BASE + SHIFT) + note(
        "p:one", "4@%eax", BASE + 16
    )
    path.write_bytes(elf(FUNCTIONS, notes))
    return str(path)


def loaded(door: Door, kind: str, target: str = "") -> Program:
    return Program.load(program(kind, target), [], door=door)


def test_a_probe_is_an_event_of_its_source(door: Door, sources: str) -> None:
    for probe, pid in (
        (Probe("kprobe", "do_exit", 4), -1),
        (Probe("kprobe", "do_exit", returns=True), -1),
        (Probe("uprobe", "/bin/app", 0x10, semaphore=0x2000), 7),
    ):
        perf.open_probe(door, probe, pid, sources=sources)
    assert door.events == [
        (8, 0, "do_exit", 4, -1, 0),
        (8, 1, "do_exit", 0, -1, 0),
        (9, 0x2000 << 32, "/bin/app", 0x10, 7, -1),
    ]


def test_a_kernel_without_the_source_says_so(door: Door, tmp_path: Path) -> None:
    with pytest.raises(NoSource, match="kprobe/type"):
        perf.open_probe(door, Probe("kprobe", "do_exit"), sources=str(tmp_path))


needs_uprobes = pytest.mark.skipif(
    not os.path.exists(f"{perf.SOURCES}/uprobe/type"), reason="this machine has no uprobes"
)


@needs_uprobes
def test_a_place_in_a_binary_is_a_function_with_an_offset_or_an_offset_alone(
    door: Door, app: str
) -> None:
    for place, offset in ((f"{app}:alpha+0x4", TEXT + 0x14), (f"{app}:+0x123", 0x123)):
        with attach(loaded(door, "uprobe"), place) as link:
            assert door.events[-1][2:] == (app, offset, -1, 0)
            assert link.name == f"uprobe {place}"
    with attach(loaded(door, "uretprobe", f"{app}:beta"), pid=5):
        assert door.events[-1][1:] == (1, app, TEXT + 0x20, 5, -1)
    assert door.of(FakeLink) == door.of(FakeBlob) == []


@needs_uprobes
def test_a_static_probe_is_probed_at_each_place_with_its_semaphore(door: Door, app: str) -> None:
    assert static_ways(f"{app}:p:one") == ("4@%eax", "8@%rbx")
    path, spots = static_spots(f"{app}:p:one")
    assert path == app
    assert [(one.offset, one.semaphore, one.cookie) for one in spots] == [
        (TEXT + 8, 2 * TEXT, 1),
        (TEXT + 16, 0, 0),
    ]
    with attach(loaded(door, "usdt", f"{app}:p:one")):
        assert [event[3] for event in door.events] == [TEXT + 8, TEXT + 16]
        assert door.events[0][1] == (2 * TEXT) << 32


@pytest.mark.parametrize("target", ["", "app", "app:one", "app::one", ":p:one"])
def test_what_is_no_static_probe_is_bad_input(target: str) -> None:
    with pytest.raises(BadInput, match="is no static probe"):
        static_ways(target)


def test_many_places_are_one_link(door: Door, app: str) -> None:
    with attach(loaded(door, "uprobe_multi", f"{app}:alpha,bet?")):
        (link,) = door.of(FakeLink)
        assert isinstance(link, FakeLink)
        assert link.attach_type == 48
    assert door.events == []


@needs_uprobes
def test_on_an_older_kernel_many_places_are_single_probes_and_it_is_said(
    door: Door, app: str
) -> None:
    many = loaded(door, "uprobe_multi", f"{app}:alpha,beta")
    door.refuse(Command.LINK_CREATE, 22, times=2)  # the link, and the probe for such links
    with attach(many) as link:
        assert [event[3] for event in door.events] == [TEXT + 0x10, TEXT + 0x20]
        assert "2 single probes" in link.remarks[0]


def test_many_functions_of_the_kernel_are_one_link(door: Door) -> None:
    with attach(loaded(door, "kprobe_multi", "do_exit,do_fork"), cookie=3):
        (link,) = door.of(FakeLink)
        assert isinstance(link, FakeLink)
        assert link.attach_type == 42
    door.refuse(Command.LINK_CREATE, 95)
    with pytest.raises(Unsupported, match="single kprobes"):
        attach(loaded(door, "kprobe_multi", "do_exit"))


def test_where_there_is_no_link_for_many_functions_they_are_probed_one_by_one(
    door: Door,
) -> None:
    spec = program("kprobe_multi", "do_exit,do_fork")
    assert singly(spec, door) is spec
    door.refuse(Command.LINK_CREATE, 95)
    alone = singly(spec, door).kind
    there = os.path.exists(f"{perf.SOURCES}/kprobe/type")  # else nothing is an instead
    assert (alone.attach_type, alone.name) == (0 if there else 42, "kprobe_multi")


@pytest.mark.parametrize("place", ["", "alpha", "app:"])
def test_what_is_no_place_in_a_binary_is_bad_input(door: Door, place: str) -> None:
    with pytest.raises(BadInput, match="is no place in a binary"):
        attach(loaded(door, "uprobe"), place)


@pytest.mark.parametrize("kind", ["uprobe", "kprobe"])
def test_an_offset_that_is_no_number_is_bad_input(door: Door, app: str, kind: str) -> None:
    with pytest.raises(BadInput, match="'ten' is no number of bytes"):
        attach(loaded(door, kind), f"{app}:alpha+ten")


@needs_uprobes
def test_when_one_place_is_refused_no_probe_stays(door: Door, app: str) -> None:
    door.refuse(Command.LINK_CREATE, 22)
    with pytest.raises(KernelError):
        attach(loaded(door, "usdt", f"{app}:p:one"))
    assert door.of(FakeLink) == door.of(FakeBlob) == []
