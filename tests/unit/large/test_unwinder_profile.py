"""What a person reads of an unwinder's stacks: names, folded lines, and how much of it is whole."""

import os
from pathlib import Path

import pytest

from examples.large.unwinder.__main__ import folded, summary
from examples.large.unwinder.files import File, Names, bias, opened
from examples.large.unwinder.mappings import VDSO, mapped
from examples.large.unwinder.rules import UNKNOWN
from examples.large.unwinder.state import End
from examples.large.unwinder.table import Table
from examples.large.unwinder.unwinder import Frame, Sampled
from skep.kernel.binaries import Binary

MAPPED = {one.path: one for one in mapped(Path("/proc/self/maps").read_text())}
LIBC = next(path for path in MAPPED if os.path.basename(path).startswith("libc.so"))


@pytest.fixture(scope="module")
def libc() -> File:
    return File(1, Binary.open(LIBC), Table([], []))


def test_an_address_has_the_name_of_the_function_that_it_is_in(libc: File) -> None:
    (found,) = {(one.address, one.size) for one in libc.binary.named("qsort")}
    names = Names(libc.binary)
    assert names[found[0]] == names[found[0] + found[1] - 1] == "qsort"
    assert names[0] == ""
    assert names[found[0] + found[1]] != "qsort"


def test_where_no_function_is_named_a_frame_is_a_place_in_its_file(libc: File) -> None:
    assert str(Frame(libc, 0x10)) == f"{os.path.basename(LIBC)}+0x10"
    assert str(Frame(None, 0x7F00)) == "[0x7f00]"


def test_the_vdso_is_a_file_of_the_memory() -> None:
    here = MAPPED[VDSO]
    file = opened(3, os.getpid(), here)
    assert (file.problem, bias(file, here)) == ("", here.start)
    ((address, _),) = {(one.address, one.size) for one in file.binary.named("clock_gettime")}
    assert file.table.rule(address) != UNKNOWN
    assert file.name(address) == "clock_gettime"


def test_equal_lines_are_one_and_begin_with_the_outermost_function(libc: File) -> None:
    (address,) = {one.address for one in libc.binary.named("qsort")}
    inner, outer = Frame(libc, address), Frame(None, 1)
    stacks = [
        Sampled(7, 2, End.COMPLETE, (outer,)),
        Sampled(7, 3, End.COMPLETE, (inner, outer)),
        Sampled(7, 4, End.COMPLETE, (Frame(libc, address + 1), outer)),
    ]
    assert list(folded(stacks).items()) == [("[0x1];qsort", 7), ("[0x1]", 2)]


def test_the_summary_says_how_many_stacks_are_whole() -> None:
    none = dict.fromkeys(End, 0)
    some = none | {End.COMPLETE: 97, End.NO_TABLE: 3, End.LOST: 5}
    assert summary(some) == "97.0% of 100 stacks are whole (complete 97, no table 3, lost 5)"
    assert summary(none) == "0.0% of 0 stacks are whole (nothing ran)"
