"""Programs beside their twins: both loaded, and what each made of the same events."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import pytest

from bench import clang, shipped, sides
from bench import debian as peers
from bench.codegen import compilable
from bench.sides import Third
from skep.kernel.commands import Run
from skep.lang.maps import Declaration, Ring
from skep.lang.programs import Program
from skep.lang.struct import Struct
from skep.program.live import Live
from skep.program.live_ring import LiveRing
from skep.program.machine import Machine
from tests.kernel.bench.libbpf import Libbpf
from tests.kernel.trace.conftest import memory as memory  # noqa: PLC0414 - a fixture, given on
from tools import debian

BUNDLES = ("clang", "libbpf", "bpftool")
APART = frozenset({"seq", "window"})
"""Fields that hold a number of the ring's own, or of the clock: two programs may differ there."""
NEAR = frozenset({"time", "since", "duration_ns", "user_ns", "system_ns"})
"""Fields with a time in ns: one program runs after the other, and time goes on."""
NEARLY = 5_000_000_000


@pytest.fixture(scope="session")
def machine() -> Machine:
    return Third()


@pytest.fixture(scope="session")
def peer(absent: Callable[[str], NoReturn]) -> clang.Clang:
    try:
        debian.fetch(BUNDLES)
    except debian.Unavailable as reason:
        absent(f"twins of programs need clang-19, libbpf and bpftool of Debian: {reason}")
    found = clang.clang()
    assert found is not None
    return found


@pytest.fixture(scope="session")
def libbpf(peer: clang.Clang) -> Libbpf:
    path = peers.library("libbpf", "libbpf.so.1")
    assert path is not None
    return Libbpf(path)


@pytest.fixture(scope="session")
def every() -> dict[str, shipped.Shipped]:
    """What is shipped, by place and name: ``"examples/01_hello.py on_exec"``."""
    return {str(one): one for one in shipped.programs()}


@dataclass
class Both:
    """Our programs and their twins, by the same declarations of maps."""

    ours: Live
    theirs: Live
    programs: dict[str, Program]

    @property
    def sides(self) -> tuple[Live, Live]:
        return self.ours, self.theirs

    def attach(self, name: str, *where: Any, **how: Any) -> None:  # noqa: ANN401 - as Live takes
        """Both to the same hook."""
        for side in self.sides:
            side.attach(self.programs[name], *where, **how)

    def detach(self) -> None:
        """End both, so that they saw the same."""
        for side in self.sides:
            for link in (link for links in side.links.values() for link in links):
                link.close()

    def runs(self, name: str) -> tuple[Callable[..., Run], Callable[..., Run]]:
        """Both as test runs."""
        ours, theirs = (side.programs[name].test_run for side in self.sides)
        return ours, theirs

    def named(self, name: str) -> Declaration:
        """The declaration of a map, by its name in C and Python."""
        modules = (one.function.__globals__ for one in self.programs.values())
        found: Declaration = next(names[name] for names in modules if name in names)
        return found

    def maps(self, name: str) -> tuple[dict[Any, Any], dict[Any, Any]]:
        """What both hold in a map, as one compares it."""
        ours, theirs = (
            dict(sorted(plain(dict(side[self.named(name)].items())).items())) for side in self.sides
        )
        return ours, theirs

    def records(self, name: str) -> tuple[list[Any], list[Any]]:
        """What both sent into a ring since the last call, in order."""
        held: list[list[Any]] = [list(one.poll(0.2)) for one in self.rings(name)]
        ours, theirs = (sorted(side, key=lambda one: int(one.seq)) for side in held)
        return ours, theirs

    def rings(self, name: str) -> tuple[LiveRing, LiveRing]:
        """Both rings of a name."""
        ring = self.named(name)
        assert isinstance(ring, Ring)
        return self.ours[ring], self.theirs[ring]

    def counts(self, name: str) -> tuple[tuple[int, int], tuple[int, int]]:
        """Attempts and losses of both rings."""
        ours, theirs = ((one.attempts, one.lost) for one in self.rings(name))
        return ours, theirs


Objects = Callable[[Path], bytes]


@pytest.fixture(scope="session")
def objects(peer: clang.Clang) -> Objects:
    """Compiles a twin, once."""
    return cache(peer.object)


Loads = Callable[..., Both]


@pytest.fixture
def both(
    machine: Machine, objects: Objects, libbpf: Libbpf, every: dict[str, shipped.Shipped]
) -> Iterator[Loads]:
    """``both("flows.programs.drops", "on_drop")``: loads programs of a place, and their twins."""
    with ExitStack() as stack:

        def start(place: str, *names: str) -> Both:
            wanted = [every[f"{place} {name}"] for name in names]
            if lacking := {str(one) for one in wanted} - set(
                map(str, compilable(wanted, machine.target))
            ):
                pytest.skip(f"this kernel lacks the types or hook of {', '.join(sorted(lacking))}")
            programs = {one.program.name: one.program for one in wanted}
            made, data = list(programs.values()), objects(wanted[0].twin)
            found = stack.enter_context(sides.loaded(made, data, libbpf, machine))
            return Both(found.ours, found.theirs, programs)

        yield start


def plain(value: Any) -> Any:  # noqa: ANN401 - whatever a map holds
    """A value as one compares it: structs as their fields, but those that are apart."""
    if isinstance(value, Struct):
        names = (f.name for f in type(value).fields if not f.name.startswith(("_", "unused")))
        return {name: plain(getattr(value, name)) for name in names if name not in APART}
    if isinstance(value, dict):
        return {key(one): plain(other) for one, other in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value


def key(value: Any) -> Any:  # noqa: ANN401 - as above
    """A key as one of a dict."""
    return tuple(plain(value).items()) if isinstance(value, Struct) else value


def agree(ours: Any, theirs: Any) -> None:  # noqa: ANN401 - as above
    """Asserts that both are the same, but for the time between them."""
    if isinstance(ours, dict):
        assert list(ours) == list(theirs)
        for name, one in ours.items():
            other = theirs[name]
            if name in NEAR:
                assert abs(one - other) < NEARLY, (name, ours, theirs)
            else:
                agree(one, other)
    elif isinstance(ours, list):
        assert len(ours) == len(theirs), (ours, theirs)
        for one, other in zip(ours, theirs, strict=True):
            agree(one, other)
    else:
        assert ours == theirs


def same(ours: Sequence[Any], theirs: Sequence[Any], *, count: int) -> None:
    """Asserts that both told ``count`` events, and the same ones in the same order."""
    assert [type(one) for one in ours] == [type(one) for one in theirs]
    agree(plain(ours), plain(theirs))
    assert len(ours) == count, ours
