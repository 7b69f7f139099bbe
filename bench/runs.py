"""What a test run takes, ours beside clang's: of every program that the kernel runs on request.

A run is measured by the CPU time of the thread that asks for many of them, for the kernel's own figure is cut to whole
ns; a kind that the kernel runs only once a request, by its run statistics. Both include what the kernel does around a
run, for both sides the same. Each program is loaded several times, for the place where the JIT puts its code matters
as much as a few instructions.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from textwrap import fill

from bench import _drain_fill, large, sides
from bench._packets import TIMED
from bench.shipped import Shipped
from bench.sides import Runs, Third, in_turns
from skep.kernel.bpf import packed
from skep.kernel.stats import enabled
from skep.lang.spec import ProgramKind
from skep.program.live import Live
from tests.kernel.bench.libbpf import Libbpf

ON_CONTEXT = frozenset({"raw_tp", "raw_tp_writable", "syscall"})
"""Kinds of which the kernel makes test runs on a context alone."""
FILL = "bench._drain_fill fill"
PER_REQUEST = 1000
"""Runs on packets for each run of ``fill``, which makes as many records."""

Input = Callable[[Live], Sequence[Runs]]
"""Fills the maps of a side, and gives what runs its program: one for each packet."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How often a program is loaded, how many rounds a load is measured in, and how many runs a round has."""

    loads: int
    rounds: int
    times: int


QUICK, WHOLE = Effort(5, 9, 50_000), Effort(15, 21, 200_000)


@dataclass(frozen=True, slots=True)
class Timed:
    """ns of a program's test runs, summed over its packets: medians of the loads; their median ratio."""

    name: str
    ours: float
    peer: float
    ratio: float


def runnable(kind: ProgramKind) -> bool:
    """Whether the kernel runs programs of a kind on request (BPF_PROG_TEST_RUN)."""
    return kind.packet or kind.feeds or kind.name in ON_CONTEXT


@contextmanager
def given(one: Shipped) -> Iterator[Input]:
    """What both sides of a program are timed on. KeyError where nobody wrote it down."""
    big = next((big for big in large.programs() if big.program is one.program), None)
    if big is not None:
        with big.input() as prepared:
            yield lambda live: [_by_cpu(prepared(live))]
    elif str(one) == FILL:
        yield _filling
    else:
        yield partial(_packets, one.program.name, TIMED[str(one)])


def _packets(name: str, packets: Sequence[bytes], live: Live) -> Sequence[Runs]:
    run = live.programs[name].test_run
    return [_by_cpu(lambda times, one=one: run(one, repeat=times).duration_ns) for one in packets]  # type: ignore[misc]


def _by_cpu(runs: Runs) -> Runs:
    """The same runs by the CPU time of this thread."""

    def timed(times: int) -> float:
        before = time.thread_time_ns()
        runs(times)
        return (time.thread_time_ns() - before) / times

    return timed


def _filling(live: Live) -> Sequence[Runs]:
    """Runs that make a thousand records each, into a ring that is emptied after them."""
    program, reader = live.programs["fill"], live[_drain_fill.ring].reader
    context = bytes(packed("12Q", 0, _drain_fill.RUN, *[0] * 10))

    def timed(times: int) -> float:
        before = program.info()
        with enabled():
            for _ in range(times // PER_REQUEST):
                program.test_run(ctx=context)
        after = program.info()
        reader.consume(reader.positions()[1])
        return (after.run_time_ns - before.run_time_ns) / (after.run_cnt - before.run_cnt)

    return [timed]


def timed(one: Shipped, data: bytes, libbpf: Libbpf, effort: Effort) -> Timed:
    """Both sides of a program, ``data`` having the twin."""
    machine = Third()
    found: list[tuple[float, float]] = []
    for _ in range(effort.loads):
        with (
            given(one) as prepared,
            sides.loaded([one.program], data, libbpf, machine) as (ours, theirs, _made),
        ):
            pairs = zip(prepared(ours), prepared(theirs), strict=True)
            ns = [in_turns(pair, effort.rounds, effort.times) for pair in pairs]
        found.append((sum(mine for mine, _ in ns), sum(other for _, other in ns)))
    mine, other = map(statistics.median, zip(*found, strict=True))
    return Timed(str(one), mine, other, statistics.median(a / b for a, b in found))


def table(found: Sequence[Timed]) -> str:
    """A line a program."""
    width = max(len(row.name) for row in found)
    head = f"{'ns of a test run':{width}}     ours    clang  ratio"
    lines = [f"{r.name:{width}} {r.ours:8.1f} {r.peer:8.1f} {r.ratio:6.3f}" for r in found]
    return "\n".join([head, *lines])


def left(wanted: Sequence[Shipped]) -> str:
    """How many programs the kernel runs only where they are attached, and which, by their kind."""
    names: dict[str, list[str]] = {}
    for one in wanted:
        names.setdefault(one.program.kind.name, []).append(str(one))
    lines = [f"{kind}: {', '.join(held)}" for kind, held in names.items()]
    wrapped = (fill(line, 110, initial_indent="  ", subsequent_indent="    ") for line in lines)
    head = f"not timed, for the kernel runs them only where they are attached: {len(wanted)}"
    return "\n".join([head, *wrapped])
