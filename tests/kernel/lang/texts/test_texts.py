"""Arrays of bytes and text hold, compare and find the same in the kernel and as plain Python."""

import random
import shutil
import subprocess
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

import skep
from skep.lang.programs import Program
from tests.kernel.lang.both import Given, live, plain
from tests.kernel.lang.texts import programs

PROGRAMS = [*programs.ALL, programs.of_tasks, programs.of_addresses]
PACKETS = 20


def given() -> Iterator[bytes]:
    """Packets of few letters, so that what is sought is found."""
    rng = random.Random(5)
    for _ in range(PACKETS):
        letters = [rng.choice((0, 47, 97, 97, 98, 98)) for _ in range(44)]
        yield Given(e=rng.randrange(256), data=letters).to_bytes()
    yield Given(data=[97, 98] * 22).to_bytes()


@pytest.mark.parametrize("program", programs.ALL, ids=lambda p: p.name)
def test_an_array_is_the_same_in_the_kernel_and_as_plain_python(program: Program) -> None:
    packets = list(given())
    left = plain(program, packets)
    assert live(program, packets) == left
    assert len(set(left)) > 2


def test_text_of_a_kernel_object_is_found_in_it() -> None:
    with skep.load(programs.of_tasks) as live_:
        with subprocess.Popen(["true"]) as child:
            child.wait()
        assert live_[programs.names][child.pid] == 2


def test_text_at_an_address_is_copied() -> None:
    with skep.load(programs.of_addresses) as live_:
        with subprocess.Popen(["its own name"], executable=shutil.which("true")) as child:
            child.wait()
        assert live_[programs.names][child.pid] == 12


def test_text_at_an_address_is_an_object_in_plain_python() -> None:
    kernel = skep.FakeKernel(objects={0x1000: b"its own name\0more"})
    task = SimpleNamespace(tgid=7, mm=SimpleNamespace(arg_start=skep.u64(0x1000)))
    bprm = SimpleNamespace(filename="/usr/bin/true")
    programs.of_addresses.py(task, 0, bprm, kernel=kernel)
    assert dict(kernel[programs.names]) == {7: 12}


def test_text_is_a_key_in_the_kernel_and_in_plain_python() -> None:
    before = {"bash": 3, "ksh": 4}
    done = skep.run(programs.keys, bytes(60), maps={programs.shells: before})
    assert (done.verdict, done.maps[programs.shells]) == (2, {"bash": 3, "sh": 5})
    kernel = skep.FakeKernel()
    kernel[programs.shells].update(before)
    assert programs.keys.py(bytes(60), kernel=kernel) == 2
    assert dict(kernel[programs.shells]) == {"bash": 3, "sh": 5}


def test_an_array_is_a_key_as_bytes_or_as_a_tuple() -> None:
    before = {programs.stations: {b"abcdef": 3}, programs.pairs: {(4, 5): 6}}
    done = skep.run(programs.arrays, bytes(60), maps=before)
    left = [{b"abcdef": 3, b"\x02\0\0\0\0\x01": 1}, {(4, 5): 6, (0, 7): 2}]
    assert [done.verdict, *(done.maps[one] for one in before)] == [2, *left]
    kernel = skep.FakeKernel()
    for declared, held in before.items():
        kernel[declared].update(held)
    assert programs.arrays.py(bytes(60), kernel=kernel) == 2
    assert [dict(kernel[one]) for one in before] == left
