"""The large programs beside clang: what the verifier looks at, and what a run takes.

Each is compiled for the same instructions as its twin in C, loaded, given the same input, and run, ours and the twin in
turns: by BPF_PROG_TEST_RUN, or the unwinder, which the kernel does not run so, by sampling a process. States are all
that the verifier made; ns are the kernel's own measurement of a run, the median of the rounds. A program is a row of
``programs``.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import skep
from bench import clang, debian, sides
from bench._datapath import getting, sending
from bench._unwinder import unwinding
from bench.clang import PEER, TWINS
from bench.figures import Figure
from bench.sides import Runs, Third, in_turns
from examples.large.datapath.pod import from_pod, to_pod
from examples.large.matcher.matcher import Matcher
from examples.large.matcher.program import match_path
from examples.large.matcher.watched import watched
from examples.large.unwinder.program import on_sample
from skep.program.live import Live
from tests.kernel.bench.libbpf import STATISTICS, Libbpf

MATCHER = "matcher"
PATH = b"/usr/share/icons/hicolor/index.theme.old"
ROOM = 1 << 20
_SEEN = re.compile(r"processed (\d+) insns .*?total_states (\d+)")


Input = Callable[[Live], Runs]
"""Fills the maps of one side, and gives what runs it."""


@dataclass(frozen=True, slots=True)
class Large:
    """A program, its twin's file, and its input, which both sides share while they are measured."""

    name: str
    program: skep.Program
    twin: Path
    input: Callable[[], AbstractContextManager[Input]]


def always(given: Input) -> Callable[[], AbstractContextManager[Input]]:
    """An input that needs nothing beside it."""
    return lambda: nullcontext(given)


def matching(live: Live) -> Runs:
    """A path of 40 bytes through the automaton of two hundred patterns."""
    matcher = Matcher(live, watched())
    matcher.ask(PATH)
    return lambda times: matcher.run(times).duration_ns


def programs() -> list[Large]:
    """What is measured."""
    return [
        Large(MATCHER, match_path, TWINS / "large_matcher.c", always(matching)),
        Large("from a pod", from_pod, TWINS / "large_datapath.c", always(sending)),
        Large("to a pod", to_pod, TWINS / "large_datapath.c", always(getting)),
        Large("unwinder", on_sample, TWINS / "large_unwinder.c", unwinding),
    ]


@dataclass(frozen=True, slots=True)
class Side:
    """One side's program: slots as loaded, the verifier's instructions and states, ns a run."""

    slots: int
    processed: int
    states: int
    ns: float


@dataclass(frozen=True, slots=True)
class Row:
    """Both sides of a program."""

    name: str
    ours: Side
    peer: Side

    @property
    def states(self) -> float:
        """Our states by clang's."""
        return self.ours.states / self.peer.states

    @property
    def ns(self) -> float:
        """Our time by clang's."""
        return self.ours.ns / self.peer.ns


def told(text: str) -> tuple[int, int]:
    """Instructions and states of the verifier's statistics. ValueError where there are none."""
    found = _SEEN.search(text)
    if found is None:
        raise ValueError(f"the verifier gave no statistics: {text!r}")
    return int(found[1]), int(found[2])


def measured(one: Large, peer: clang.Clang, libbpf: Libbpf, rounds: int, times: int) -> Row:
    """Both sides of one program."""
    name, data = one.program.name, peer.object(one.twin)
    with (
        one.input() as given,
        sides.loaded([one.program], data, libbpf, Third(), counted=True) as (ours, theirs, made),
    ):
        log = bytearray(ROOM)
        ours.programs[name].verify_again(STATISTICS, log)
        seen = told(log.split(b"\0", 1)[0].decode())
        ns = in_turns([given(ours), given(theirs)], rounds, times)
        slots = len(ours.programs[name].spec.insns) // 8
        peers = told(made.statistics(name))
        return Row(one.name, Side(slots, *seen, ns[0]), Side(made.slots(name), *peers, ns[1]))


def table(rows: Sequence[Row]) -> str:
    """Two lines a program."""
    head = f"{'program':20} {'slots':>6} {'processed':>10} {'states':>7} {'ns':>8}"
    return "\n".join([head, *(line for row in rows for line in _lines(row))])


def _lines(row: Row) -> Iterator[str]:
    for name, side in ((row.name, row.ours), ("  clang", row.peer)):
        yield f"{name:20} {side.slots:6} {side.processed:10} {side.states:7} {side.ns:8.1f}"


def figures(rows: Sequence[Row]) -> dict[str, Figure]:
    """The worst ratios of all, and the matcher's time."""
    matcher = next(row for row in rows if row.name == MATCHER)
    return {
        "large.states_vs_clang": Figure(max(row.states for row in rows), "ratio", PEER, 1.0),
        "large.ns_vs_clang": Figure(max(row.ns for row in rows), "ratio", PEER, 1.0),
        "large.matcher_ns": Figure(matcher.ours.ns, "ns", PEER, matcher.peer.ns),
    }


def measure(quick: bool) -> dict[str, Figure]:  # noqa: FBT001 - the harness's form
    """All three figures; none without clang and libbpf."""
    peer, library = clang.clang(), debian.library("libbpf", "libbpf.so.1")
    if peer is None or library is None:
        return {}
    rounds, times = (15, 100_000) if quick else (41, 400_000)
    libbpf = Libbpf(library)
    rows = [measured(one, peer, libbpf, rounds, times) for one in programs()]
    print(table(rows))
    return figures(rows)
