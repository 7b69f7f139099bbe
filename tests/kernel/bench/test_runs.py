"""What the bench of test runs measures: programs that the kernel does run so, with the same answers on both sides."""

import errno

import pytest

import skep
from bench import runs, shipped
from bench._packets import TIMED
from bench.runs import Effort
from bench.sides import loaded
from skep.kernel.probes import probe
from skep.kernel.refusal import ENOTSUPP
from skep.program.machine import Machine
from tests.kernel.bench.conftest import Objects
from tests.kernel.bench.libbpf import Libbpf

pytestmark = pytest.mark.native("clang's objects are made for the kernel of this machine")

EVERY = shipped.programs()
RUN = [one for one in EVERY if runs.runnable(one.program.kind)]
ATTACHED = {one.program.kind.name: one for one in EVERY if one not in RUN}


@pytest.mark.parametrize("one", RUN, ids=str)
def test_both_sides_are_timed_on_the_same_input(
    one: shipped.Shipped, objects: Objects, libbpf: Libbpf, machine: Machine
) -> None:
    found = runs.timed(one, objects(one.twin), libbpf, Effort(loads=1, rounds=1, times=1000))
    assert found.name == str(one)
    assert min(found.ours, found.peer, found.ratio) > 0
    with loaded([one.program], objects(one.twin), libbpf, machine) as (*sides, _made):
        ours, theirs = (
            [side.programs[one.program.name].test_run(data) for data in TIMED.get(str(one), ())]
            for side in sides
        )
    assert [run.retval for run in ours] == [run.retval for run in theirs]
    assert [run.data for run in ours] == [run.data for run in theirs]


@pytest.mark.parametrize("kind", ATTACHED)
def test_what_is_left_out_is_what_the_kernel_does_not_run(kind: str, machine: Machine) -> None:
    one = ATTACHED[kind].program
    if not probe(f"kind.{kind}", machine.btf).on:
        pytest.skip(f"the kernel takes no {kind} programs here")
    with skep.load(one, machine=machine, attach=False) as live:
        program = live.programs[one.name]
        for packet, context in ((bytes(64), b""), (b"", bytes(96))):
            with pytest.raises(skep.KernelError) as error:
                program.test_run(packet, context)
            assert error.value.errno in (ENOTSUPP, errno.EFAULT)
