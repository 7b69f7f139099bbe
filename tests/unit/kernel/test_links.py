"""Each hook takes its program in its own way, and closing a link leaves nothing. Against the fake kernel."""

import errno
import os
import struct
from pathlib import Path

import pytest

from skep.base.errors import BadInput, Conflict, KernelError, Unsupported
from skep.btf.reader import Btf
from skep.btf.types import Param
from skep.btf.writer import Builder
from skep.kernel import cpus
from skep.kernel.bpf import NEW_NETWORK
from skep.kernel.commands import Command
from skep.kernel.links import Link, attach
from skep.kernel.programs import Program
from skep.testing.door import FakeDoor
from skep.testing.fake_objects import FakeBlob, FakeLink
from tests.unit.kernel.samples import program

LOOPBACK = 1  # the index of lo in every namespace
OURS = "/proc/self/ns/net"


@pytest.fixture
def door() -> FakeDoor:
    return FakeDoor()


def loaded(door: FakeDoor, kind: str, target: str = "", **options: int | str) -> Program:
    make = Builder()
    nothing = make.prototype(0, [Param("", 0)])
    make.typedef("btf_trace_sched_switch", make.ptr(nothing))
    make.func("bpf_iter_task", nothing)
    spec = program(kind, target, options=tuple(options.items()))
    return Program.load(spec, [], Btf(make.build()), door=door)


def only_link(door: FakeDoor) -> FakeLink:
    (link,) = door.of(FakeLink)
    assert isinstance(link, FakeLink)
    return link


def test_a_raw_tracepoint_is_attached_by_name(door: FakeDoor) -> None:
    with attach(loaded(door, "raw_tp", "sys_enter")) as link:
        assert only_link(door).name == "sys_enter"
        assert link.name == "raw_tp sys_enter"
    assert door.of(FakeLink) == []


def test_a_tp_btf_program_is_attached_by_what_it_was_loaded_for(door: FakeDoor) -> None:
    with attach(loaded(door, "tp_btf", "sched_switch")):
        assert only_link(door).name == ""
        assert only_link(door).target > 0


def test_sampling_has_a_link_for_each_cpu_and_closes_all(door: FakeDoor) -> None:
    sampler = loaded(door, "perf_event", event="task-clock", frequency=49)
    with attach(sampler) as link:
        assert len(door.of(FakeLink)) == len(cpus.online())
        assert isinstance(link, Link)
        assert link.fd in door.open
    assert door.of(FakeLink) == door.of(FakeBlob) == []


def test_sampling_asks_for_its_event_and_frequency(
    door: FakeDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[bytes, int, int]] = []
    opened = door.perf_event_open

    def spy(attr: bytes, pid: int, cpu: int) -> int:
        asked.append((attr, pid, cpu))
        return opened(attr, pid, cpu)

    monkeypatch.setattr(door, "perf_event_open", spy)
    with attach(loaded(door, "perf_event", event="task-clock", frequency=49), pid=17):
        pass
    ((attr, pid, cpu),) = asked
    kind, size, config, often = struct.unpack_from("<IIQQ", attr)
    assert (kind, size, config, often, pid, cpu) == (1, len(attr), 1, 49, 17, -1)
    assert struct.unpack_from("<Q", attr, 40)[0] == 1 << 10 | 1  # a frequency, at rest


def test_an_event_that_does_not_exist_is_bad_input_with_the_nearest(door: FakeDoor) -> None:
    with pytest.raises(BadInput, match="did you mean 'cpu-clock'"):
        attach(loaded(door, "perf_event", event="cpuclock"))


def test_when_one_cpu_refuses_no_link_stays(door: FakeDoor) -> None:
    sampler = loaded(door, "perf_event")
    door.refuse(Command.LINK_CREATE, errno.EINVAL)
    with pytest.raises(KernelError):
        attach(sampler)
    assert door.of(FakeLink) == door.of(FakeBlob) == []


def test_an_iterator_is_read_to_its_end(door: FakeDoor) -> None:
    door.output = [b"one\n", b"two\n"]
    with attach(loaded(door, "iterator", "task")) as link:
        assert isinstance(link, Link)
        assert link.read() == b"one\ntwo\n"
        assert len(door.of(FakeBlob)) == 0


def test_a_cgroup_program_is_attached_to_a_directory(door: FakeDoor, tmp_path: Path) -> None:
    with attach(loaded(door, "cgroup_connect4"), str(tmp_path)):
        assert only_link(door).attach_type == 10
    with pytest.raises(BadInput, match="directory"):
        attach(loaded(door, "cgroup_connect4"))
    with pytest.raises(BadInput, match="No such file"):
        attach(loaded(door, "cgroup_connect4"), str(tmp_path / "none"))


def test_xdp_runs_in_the_driver_where_it_can(door: FakeDoor) -> None:
    with attach(loaded(door, "xdp"), LOOPBACK) as link:
        assert (only_link(door).target, only_link(door).flags) == (LOOPBACK, 4)
        assert link.remarks == ()


def test_xdp_falls_back_to_the_stack_and_says_so(door: FakeDoor) -> None:
    filter_ = loaded(door, "xdp")
    door.refuse(Command.LINK_CREATE, errno.EOPNOTSUPP)
    with attach(filter_, LOOPBACK) as link:
        assert only_link(door).flags == 2
        (remark,) = link.remarks
    assert "generic mode" in remark
    assert "EOPNOTSUPP" in remark


def test_xdp_in_a_mode_that_was_asked_for_does_not_fall_back(door: FakeDoor) -> None:
    filter_ = loaded(door, "xdp")
    door.refuse(Command.LINK_CREATE, errno.EOPNOTSUPP)
    with pytest.raises(Unsupported, match=r"EOPNOTSUPP.*generic"):
        attach(filter_, LOOPBACK, mode="native")
    with attach(filter_, LOOPBACK, mode="generic") as link:
        assert only_link(door).flags == 2
        assert link.remarks == ()


@pytest.mark.parametrize(("kind", "known"), [("xdp", "native, generic"), ("tcx_ingress", "clsact")])
def test_a_mode_that_there_is_not_is_bad_input(door: FakeDoor, kind: str, known: str) -> None:
    with pytest.raises(BadInput, match=f"no mode 'sideways' here; give {known}"):
        attach(loaded(door, kind), LOOPBACK, mode="sideways")


def test_a_device_that_has_an_xdp_program_is_a_conflict(door: FakeDoor) -> None:
    filter_ = loaded(door, "xdp")
    door.refuse(Command.LINK_CREATE, errno.EBUSY)
    with pytest.raises(Conflict, match="held by another program"):
        attach(filter_, LOOPBACK)


def test_a_device_that_is_missing_is_bad_input_that_lists_the_others(door: FakeDoor) -> None:
    with pytest.raises(BadInput, match=r"no network device 'absent0'; there are .*lo"):
        attach(loaded(door, "xdp"), "absent0")


def test_tcx_runs_last_first_or_before_another(door: FakeDoor) -> None:
    filter_ = loaded(door, "tcx_egress")
    with attach(filter_, LOOPBACK) as last, attach(filter_, LOOPBACK, before=True):
        assert [link.flags for link in door.of(FakeLink) if isinstance(link, FakeLink)] == [0, 8]
        assert isinstance(last, Link)
        with attach(filter_, LOOPBACK, before=last):
            flags = [link.flags for link in door.of(FakeLink) if isinstance(link, FakeLink)]
            assert flags[-1] == 8 | 1 << 13


def test_another_namespace_is_entered_by_a_thread_that_ends(door: FakeDoor) -> None:
    before = os.stat("/proc/thread-self/ns/net").st_ino
    with attach(loaded(door, "tcx_ingress"), LOOPBACK, netns=OURS):
        assert door.entered == [NEW_NETWORK]
    assert os.stat("/proc/thread-self/ns/net").st_ino == before


def test_a_namespace_that_is_missing_is_told_to_the_caller(door: FakeDoor, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"netns: .*none cannot be opened"):
        attach(loaded(door, "xdp"), "lo", netns=str(tmp_path / "none"))


def test_a_link_takes_another_program_in_its_place(door: FakeDoor) -> None:
    one, two = loaded(door, "xdp"), loaded(door, "xdp")
    with attach(one, LOOPBACK) as link:
        first = only_link(door).program
        link.update(two)
        assert only_link(door).program != first


def test_a_link_that_is_several_has_no_pin(door: FakeDoor) -> None:
    several = Link((3, 4), "perf_event", door=door)
    with pytest.raises(Unsupported, match="it is 2 links, which one name does not hold"):
        several.pin("/pins/all")
    assert door.pins == {}


def test_a_pinned_link_is_found_again(door: FakeDoor) -> None:
    with attach(loaded(door, "xdp"), LOOPBACK) as link:
        link.pin("/pins/xdp")
        assert isinstance(link, Link)
        number = link.info().id
    with Link.pinned("/pins/xdp", door=door) as again:
        assert again.info().id == number
