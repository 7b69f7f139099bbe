"""How many instructions the programs have, and how many the verifier looks at until it is content."""

import pytest

from skep.flows import connections, drops
from skep.lang.programs import Program
from skep.program.load import load
from skep.program.machine import Machine

GOLDEN = {
    "on_state": 465,
    "on_accepted": 215,
    "on_connected": 262,
    "on_connect": 267,
    "on_accept": 254,
    "on_accept4": 254,
    "on_io_uring": 262,
    "on_io_uring_before": 262,
    "on_drop": 300,
    "on_drop_alone": 300,
}
TOLERANCE = 0.1
VERIFIED = 12_000


def test_the_sizes_are_as_they_were(machine: Machine) -> None:
    check(machine, *connections.programs(machine.btf), *drops.programs(machine.btf))


@pytest.mark.requires("prog.fexit")
def test_the_size_of_what_watches_a_function_is_as_it_was(machine: Machine) -> None:
    check(machine, *connections.from_listeners())


def check(machine: Machine, *programs: Program) -> None:
    """Hold what the kernel says of ``programs`` against GOLDEN."""
    with load(*programs, machine=machine, attach=False) as live:
        for loaded in live.programs.values():
            assert loaded.info().verified_insns <= VERIFIED
        sizes = {name: len(one.spec.insns) // 8 for name, one in live.programs.items()}
    assert sizes == {one.name: pytest.approx(GOLDEN[one.name], rel=TOLERANCE) for one in programs}
