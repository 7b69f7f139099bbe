"""A chain of programs: who jumps to whom after each change, and what a change that fails leaves. On the fake kernel."""

import errno
import struct
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from skep.base.errors import BadInput, Conflict, KernelError
from skep.kernel.commands import Command
from skep.kernel.dispatch.chain import TAIL_CALLS, Chain, ChainLink
from skep.kernel.dispatch.owner import Dispatcher
from skep.kernel.maps import Map
from skep.kernel.programs import Program
from skep.lang.spec import MapSpec, MapType
from skep.lang.types import u32
from skep.testing.door import FakeDoor
from skep.testing.fake_maps import FakeMap
from skep.testing.fake_objects import FakeLink, FakeProgram
from tests.unit.kernel.samples import program

NEXT = MapSpec("next", MapType.PROG_ARRAY, u32, u32, 1)


class Head:
    """A hook that keeps what it was told."""

    what, jumps = "the chain", 0

    def __init__(self) -> None:
        self.first: list[Program | None] = []
        self.settled: list[Program] = []
        self.fails: Exception | None = None

    def point(self, first: Program | None) -> None:
        if self.fails is not None:
            raise self.fails
        self.first.append(first)

    def settle(self, programs: Sequence[Program]) -> None:
        self.settled = list(programs)


class Bench:
    """A fake kernel with a chain, and programs by name."""

    def __init__(self) -> None:
        self.door, self.head = FakeDoor(), Head()
        self.chain = Chain(self.head)
        self.programs: dict[str, Program] = {}

    def program(self, name: str, order: int = 0) -> Program:
        plain = program("xdp", maps=(NEXT,), options=(("order", order),))
        spec = replace(plain, name=name, next=0)
        following = Map.create(NEXT, door=self.door)
        made = Program.load(spec, [following], door=self.door)
        self.programs[name] = made
        return made

    def add(self, name: str, order: int) -> ChainLink:
        return self.chain.add(self.program(name), order)

    def next(self, name: str) -> str:
        """The name of the program that ``name`` jumps to, "" for none."""
        found = self.programs[name].next
        assert found is not None
        array = self.door.open[found.fd]
        assert isinstance(array, FakeMap)
        entry = array.values.get(bytes(4))
        if entry is None:
            return ""
        (fd,) = struct.unpack("<I", entry)
        return next(one for one, made in self.programs.items() if made.fd == fd)

    def walk(self) -> list[str]:
        """The programs as a packet meets them."""
        first = self.head.first[-1] if self.head.first else None
        names = [] if first is None else [first.spec.name]
        while names and (following := self.next(names[-1])):
            names.append(following)
        assert names == [one.spec.name for one in self.head.settled]
        return names


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_each_goes_on_to_the_next_by_order(bench: Bench) -> None:
    for name, order in (("b", 20), ("a", 10), ("d", 40), ("c", 30)):
        bench.add(name, order)
    assert bench.walk() == ["a", "b", "c", "d"]
    assert [link.order for link in bench.chain.links] == [10, 20, 30, 40]


def test_one_that_goes_is_jumped_over_and_still_knows_its_successor(bench: Bench) -> None:
    _, middle, last = (bench.add(name, order) for order, name in enumerate("abc"))
    middle.close()
    assert bench.walk() == ["a", "c"]
    assert bench.next("b") == "c"
    assert middle.fd == -1
    middle.close()
    last.close()
    assert bench.walk() == ["a"]


def test_the_hook_is_told_when_the_first_changes_and_only_then(bench: Bench) -> None:
    first = bench.add("b", 20)
    bench.add("c", 30)
    assert len(bench.head.first) == 1
    bench.add("a", 10).close()
    assert [one and one.spec.name for one in bench.head.first] == ["b", "a", "b"]
    first.close()
    bench.chain.links[0].close()
    assert [one and one.spec.name for one in bench.head.first[3:]] == ["c", None]


def test_a_program_is_put_in_the_place_of_another(bench: Bench) -> None:
    links = [bench.add(name, order) for order, name in enumerate("abc")]
    links[1].update(bench.program("x"))
    assert bench.walk() == ["a", "x", "c"]
    links[0].update(bench.program("y"))
    assert bench.walk() == ["y", "x", "c"]
    assert bench.next("a") == "x"
    assert repr(links[0]) == "<ChainLink the chain, place 0: y>"


def test_a_change_returns_when_what_was_taken_out_does_not_run_any_more(bench: Bench) -> None:
    links = [bench.add(name, order) for order, name in enumerate("ab")]
    new = bench.program("x")
    changes: list[Callable[[], None]] = [lambda: links[1].update(new), links[0].close]
    for change in changes:
        bench.door.calls.clear()
        change()
        # The kernel waits for what runs before such an update returns: see grace.
        assert bench.door.calls[-3:] == [
            Command.MAP_CREATE,
            Command.MAP_CREATE,
            Command.MAP_UPDATE,
        ]


def test_a_new_one_knows_where_to_go_on_before_anybody_jumps_to_it(bench: Bench) -> None:
    bench.add("c", 30)
    seen: list[str] = []

    def point(first: Program | None) -> None:
        assert first is not None
        seen.append(bench.next(first.spec.name))

    bench.head.point = point  # type: ignore[method-assign]
    bench.add("a", 10)
    assert seen == ["c"]


def writes(bench: Bench, change: Callable[[], object]) -> list[str]:
    """The programs whose successor a change writes, in order."""
    names = {one.next.fd: name for name, one in bench.programs.items() if one.next is not None}
    asked, seen = bench.door.bpf, list[str]()

    def spy(command: int, attr: bytearray) -> int:
        fd = struct.unpack_from("<I", attr)[0]
        if command in (Command.MAP_UPDATE, Command.MAP_DELETE) and fd in names:
            seen.append(names[fd])
        return asked(command, attr)

    bench.door.bpf = spy  # type: ignore[method-assign]
    change()
    return seen


def test_whoever_is_jumped_to_knows_where_to_go_on(bench: Bench) -> None:
    bench.add("a", 10)
    link = bench.add("c", 30)
    bench.add("d", 40)
    between, instead = bench.program("b"), bench.program("x")
    assert writes(bench, lambda: bench.chain.add(between, 20)) == ["b", "a"]
    assert writes(bench, lambda: link.update(instead)) == ["x", "b"]
    assert writes(bench, link.close) == ["b"]


def test_who_goes_waits_for_programs_that_run(bench: Bench) -> None:
    link = bench.add("a", 1)
    kinds = [one.type for one in bench.door.of(FakeMap) if isinstance(one, FakeMap)]
    made: list[int] = []
    create = bench.door.bpf

    def spy(command: int, attr: bytearray) -> int:
        if command == Command.MAP_UPDATE:
            fd = struct.unpack_from("<I", attr)[0]
            one = bench.door.open[fd]
            assert isinstance(one, FakeMap)
            made.append(one.type)
        return create(command, attr)

    bench.door.bpf = spy  # type: ignore[method-assign]
    link.close()
    assert made == [12]
    assert [one.type for one in bench.door.of(FakeMap) if isinstance(one, FakeMap)] == kinds


def test_a_place_has_one_program(bench: Bench) -> None:
    bench.add("a", 10)
    with pytest.raises(Conflict, match="place 10 of the chain is held by a"):
        bench.add("b", 10)
    assert bench.walk() == ["a"]


def test_a_hook_that_refuses_leaves_the_chain_as_it_was(bench: Bench) -> None:
    bench.add("b", 20)
    bench.head.fails = KernelError("call", errno.EINVAL, "no")
    with pytest.raises(KernelError):
        bench.add("a", 10)
    bench.head.fails = None
    assert bench.walk() == ["b"]


def test_a_hook_that_is_gone_lets_everybody_go(bench: Bench) -> None:
    link = bench.add("a", 10)
    bench.head.fails = KernelError("call", errno.ENOLINK, "gone")
    link.close()
    assert bench.chain.links == []
    other = bench.chain
    bench.head.fails = KernelError("call", errno.EINVAL, "no")
    with pytest.raises(KernelError):
        other.add(bench.program("b"), 1)


def test_what_cannot_go_on_is_refused(bench: Bench) -> None:
    alone = Program.load(program("xdp"), [], door=bench.door)
    with pytest.raises(BadInput, match="does not go on"):
        bench.chain.add(alone, 1)
    link = bench.add("a", 1)
    with pytest.raises(BadInput, match="already"):
        link.update(link.program)
    link.close()
    with pytest.raises(BadInput, match="closed"):
        link.update(bench.program("b"))


def test_a_chain_ends_where_the_kernel_follows_no_more(bench: Bench) -> None:
    for order in range(TAIL_CALLS + 1):
        bench.add(f"p{order}", order)
    with pytest.raises(BadInput, match="it has 34 programs"):
        bench.add("more", 1000)


# --- XDP ----------------------------------------------------------------------------------------------------------


def test_a_device_has_one_link_whoever_comes_and_goes(bench: Bench) -> None:
    owner = Dispatcher()
    second, first = (
        owner.attach_xdp(bench.program(name, order), 1) for name, order in (("b", 2), ("a", 1))
    )
    (link,) = bench.door.of(FakeLink)
    assert isinstance(link, FakeLink)
    assert (link.target, _name(bench, link)) == (1, "a")
    first.close()
    assert _name(bench, link) == "b"
    assert bench.door.of(FakeLink) == [link]
    second.close()
    assert bench.door.of(FakeLink) == []


def _name(bench: Bench, link: FakeLink) -> str:
    found = [one for one in bench.door.of(FakeProgram) if isinstance(one, FakeProgram)]
    return next(one.name for one in found if one.id == link.program)


def test_devices_have_chains_of_their_own(bench: Bench) -> None:
    owner = Dispatcher()
    owner.attach_xdp(bench.program("a", 1), 1)
    owner.attach_xdp(bench.program("b", 1), 2)
    assert len(bench.door.of(FakeLink)) == 2
    assert bench.next("a") == bench.next("b") == ""


def test_an_empty_chain_may_begin_anew_in_another_mode(bench: Bench) -> None:
    owner = Dispatcher()
    made = bench.program("a", 1)
    owner.attach_xdp(made, 1, mode="generic").close()
    owner.attach_xdp(made, 1, mode="native")
    with pytest.raises(BadInput, match="begun in mode='native', not in 'generic'"):
        owner.attach_xdp(bench.program("b", 2), 1, mode="generic")


def test_whoever_comes_to_a_chain_hears_what_its_device_fell_back_to(bench: Bench) -> None:
    owner = Dispatcher()
    first, second = bench.program("a", 1), bench.program("b", 2)
    bench.door.refuse(Command.LINK_CREATE, errno.EOPNOTSUPP)
    links = [owner.attach_xdp(one, 1) for one in (first, second)]
    assert [len(link.remarks) for link in links] == [1, 1]
    assert all("generic mode" in link.remarks[0] for link in links)
    assert owner.attach_xdp(bench.program("c", 1), 2).remarks == ()
