"""How many instructions the program has."""

import pytest

from skep.program.load import load
from skep.program.machine import Machine
from skep.trace import oom

GOLDEN = {"on_victim": 70, "on_victim_before": 89, "on_victim_pid": 40}


def test_the_size_is_as_it_was() -> None:
    machine = Machine()
    (program,) = oom.programs(machine.btf)
    with load(program, machine=machine, attach=False) as live:
        size = len(live.programs[program.name].spec.insns) // 8
    assert size == pytest.approx(GOLDEN[program.name], rel=0.1)
