"""How many instructions the programs have, and how many the verifier looks at until it is content."""

from collections.abc import Iterable

import pytest

from skep.lang.programs import Program
from skep.node.programs import lifecycle, tasks
from skep.program.load import load
from skep.program.machine import Machine

GOLDEN = {"on_exec": 272, "on_fork": 65, "on_exit": 113, "on_last_exit": 137, "processes": 38}
TOLERANCE = 0.1
VERIFIED = 12_000


def shown(programs: Iterable[Program], machine: Machine) -> dict[str, int]:
    """The size of each program; none is hard to verify."""
    with load(*programs, machine=machine, attach=False) as live:
        for loaded in live.programs.values():
            assert loaded.info().verified_insns <= VERIFIED
        return {name: len(one.spec.insns) // 8 for name, one in live.programs.items()}


def test_the_sizes_are_as_they_were(programs: tuple[Program, ...], machine: Machine) -> None:
    sizes = shown((*programs, *tasks.programs()), machine)
    assert sizes == {name: pytest.approx(GOLDEN[name], rel=TOLERANCE) for name in sizes}
    assert len(sizes) == len(programs) + 1
    assert lifecycle.on_exec.name in sizes
