"""Programs and their twins in C, loaded beside each other, and run in turns on what both are given.

Both are compiled for the same instructions; the twins fill maps that our own declarations describe. What is loaded
lives for the time of a ``with`` block, and is attached to nothing.
"""

import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from bench.clang import CPU
from skep.kernel.dispatch.owner import Dispatcher
from skep.lang.programs import Program
from skep.program.live import Live
from skep.program.load import load
from skep.program.machine import Machine
from skep.program.objects import compiled
from tests.kernel.bench.libbpf import Libbpf, Object, twin

Runs = Callable[[int], float]
"""Runs a program so many times; ns a run."""


class Third(Machine):
    """The running kernel, compiled for with the instructions that clang may use too."""

    cpu = CPU


class Sides(NamedTuple):
    """Our programs and their twins, and the object of clang's that the twins are of."""

    ours: Live
    theirs: Live
    object: Object


@contextmanager
def loaded(
    programs: Sequence[Program],
    data: bytes,
    libbpf: Libbpf,
    machine: Machine,
    *,
    counted: bool = False,
) -> Iterator[Sides]:
    """Both sides of ``programs``, of which ``data`` has the twins; ``counted`` as ``Object`` has it."""
    names = [one.name for one in programs]
    pairs = list(zip(programs, compiled(programs, machine), strict=True))
    with (
        load(*programs, machine=machine, attach=False, dispatcher=Dispatcher(rates={})) as ours,
        Object(libbpf, data, names, counted=counted) as made,
        twin(made, pairs, machine) as theirs,
    ):
        yield Sides(ours, theirs, made)


def in_turns(runs: Sequence[Runs], rounds: int, times: int) -> list[float]:
    """The median ns of each, which run one after the other; the first round only warms up."""
    found = [[run(times) for run in runs] for _ in range(rounds + 1)]
    return [statistics.median(column) for column in zip(*found[1:], strict=True)]
