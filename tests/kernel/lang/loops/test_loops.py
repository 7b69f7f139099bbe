"""Loops of every form compute the same in the kernel and as plain Python, whichever way they run."""

import pytest

import skep
from skep.lang.front.scope import Target
from skep.lang.programs import Program
from tests.kernel.lang.both import compiled_so, live, packets, plain
from tests.kernel.lang.loops import programs

PROGRAMS = list(programs.ALL)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.name)
def test_a_loop_computes_the_same_in_the_kernel_and_as_plain_python(program: Program) -> None:
    given = list(packets(1, 1 if program is programs.long else 4))  # it looks at no packet
    assert live(program, given) == plain(program, given)


@pytest.mark.native("compiles")
@pytest.mark.parametrize("cpu", ["v3", "v4"])
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.name)
def test_a_loop_that_the_kernel_calls_computes_the_same(program: Program, cpu: str) -> None:
    machine = skep.Machine()
    if cpu > machine.cpu:
        pytest.skip(f"this kernel takes BPF {machine.cpu}, not {cpu}")
    target = Target(machine.target.types, cpu, callbacks=True)
    given = list(packets(2))
    assert compiled_so(program, target, given) == plain(program, given)
