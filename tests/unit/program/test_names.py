"""Names of stacks and of the kernel's numbers, for what is shown of live maps."""

from pathlib import Path
from typing import Any

import pytest

from skep.lang.forms import Frames, Symbol
from skep.lang.maps import BuildId, Declaration, StackTraces
from skep.program.names import LiveNames
from tests.unit.kernel.elves import BASE, TEXT, Function, elf

START, PID = 0x7F00_0000_0000, 7
stacks = StackTraces(4, 16)
OWN = Frames(stacks, pid="pid")


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A process that has one file mapped, whose function ``begin`` is at ``START + 0x10``."""
    opt = tmp_path / f"{PID}/root/opt"
    opt.mkdir(parents=True)
    (opt / "app").write_bytes(elf((Function("begin", BASE + 0x10),)))
    mapped(tmp_path, START)
    return tmp_path


def mapped(proc: Path, start: int) -> None:
    (proc / f"{PID}/maps").write_text(
        f"{start:x}-{start + 0x1000:x} r-xp {TEXT:08x} fe:00 7 /opt/app\n"
    )


def names(held: dict[int, list[Any]], proc: Path | str = "/proc") -> LiveNames:
    def live(declared: Declaration) -> Any:  # noqa: ANN401 - a map
        assert declared is stacks
        return held

    return LiveNames(live, {"reasons": {2: "QUEUE_FULL"}}.__getitem__, proc=str(proc))


def test_the_functions_of_a_process_are_named(proc: Path) -> None:
    known = names({3: [START + 0x11, 5, 0, 0]}, proc)
    assert known.frames(OWN, 3, PID) == ["begin", "0x5"]


def test_an_address_of_a_process_is_named(proc: Path) -> None:
    assert names({}, proc).symbol(Symbol("pid"), START + 0x11, PID) == "begin+0x1 [app]"
    assert names({}, proc).symbol(Symbol(), 5, 0) == "0x5"


@pytest.mark.parametrize("number", [-14, 5])
def test_a_stack_that_is_not_there_has_no_frames(proc: Path, number: int) -> None:
    assert names({3: [START, 0, 0, 0]}, proc).frames(OWN, number, PID) == []


def test_a_process_that_ended_has_the_names_that_it_had(proc: Path) -> None:
    known = names({3: [START + 0x11, 0, 0, 0]}, proc)
    assert known.frames(OWN, 3, PID) == ["begin"]
    (proc / f"{PID}/maps").unlink()
    assert known.frames(OWN, 3, PID) == ["begin"]
    assert names({3: [START + 0x11, 0]}, proc).frames(OWN, 3, PID) == [f"{START + 0x11:#x}"]


def test_a_process_that_maps_something_else_is_looked_at_anew(proc: Path) -> None:
    known = names({3: [START + 0x11, START + 0x2011, 0]}, proc)
    assert known.frames(OWN, 3, PID)[0] == "begin"
    mapped(proc, START + 0x2000)
    assert known.frames(OWN, 3, PID) == [f"{START + 0x11:#x}", "begin"]


def test_places_in_files_are_shown_by_build_id() -> None:
    place = BuildId(status=1, build_id=[0xAB] * 20, offset=0x10)
    assert names({1: [place, BuildId()]}).frames(OWN, 1, 1) == [f"{'ab' * 20}+0x10"]


def test_numbers_of_an_enumeration_are_named_where_it_has_them() -> None:
    known = names({})
    assert [known.number("reasons", one) for one in (2, 3)] == ["QUEUE_FULL", 3]
