"""An ordered chain of programs behind one hook: added, replaced and taken out while packets or calls run through it.

Each program ends with a tail call into its own array of one entry, its successor (``lang.chains``). So each change is
one write that the kernel makes visible at once: of the array of the program in front, or of the hook's own link. What
was taken out keeps its successor until no program runs any more that could have entered it. The chain owns its links,
not the programs in them.
"""

import errno
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, Self

from skep.base.errors import BadInput, Conflict, KernelError
from skep.kernel import commands
from skep.kernel.commands import Command
from skep.kernel.dispatch import grace
from skep.kernel.programs import Program
from skep.kernel.refusal import refused

TAIL_CALLS = 33
"""The kernel's MAX_TAIL_CALL_CNT: jumps of one run."""

_FIRST = bytes(4)


class Head(Protocol):
    """The hook that a chain hangs on."""

    @property
    def what(self) -> str:
        """The chain in words, for errors: "the XDP chain of eth0"."""
        ...

    @property
    def jumps(self) -> int:
        """The tail calls that the hook itself needs to reach the first program."""
        ...

    def point(self, first: Program | None) -> None:
        """Lets the hook begin with another program, atomically; None gives the hook back."""
        ...

    def settle(self, programs: Sequence[Program]) -> None:
        """Told after each change which programs there are, in their order."""
        ...


class ChainLink:
    """A program in a chain, for as long as it is open. ``remarks`` say what was fallen back to."""

    def __init__(self, chain: "Chain", program: Program, order: int) -> None:
        self._chain, self.program, self.order = chain, program, order
        self.name = f"{chain.head.what}, place {order}"
        self.remarks: tuple[str, ...] = ()

    @property
    def fd(self) -> int:
        """The program's descriptor, for a chain has none of its own; -1 when closed."""
        return self.program.fd if self in self._chain.links else -1

    def update(self, program: Program) -> None:
        """Puts another chained program into the same place, atomically; returns when the old one does not run."""
        self._chain.replace(self, program)

    def close(self) -> None:
        """Takes the program out; returns when it does not run any more."""
        self._chain.remove(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<ChainLink {self.name}: {self.program.spec.name}>"


class Chain:
    """The programs behind ``head``, the lowest order first."""

    def __init__(self, head: Head) -> None:
        self.head = head
        self.links: list[ChainLink] = []

    def add(self, program: Program, order: int) -> ChainLink:
        """Lets ``program`` run in its place. Conflict where the place is taken, BadInput where it cannot be chained."""
        self._check(program)
        at = self._at(order)
        link = ChainLink(self, program, order)
        if at < len(self.links):
            follow(program, self.links[at].program)
        self._point(at, program)
        self.links.insert(at, link)
        self._settle()
        return link

    def replace(self, link: ChainLink, program: Program) -> None:
        """Puts ``program`` where ``link`` is."""
        self._check(program)
        if link not in self.links:
            raise BadInput(link.name, "the link is closed", "attach the program anew")
        at, old = self.links.index(link), link.program
        follow(program, self._program(at + 1))
        self._point(at, program)
        link.program = program
        self._settle()
        grace.wait(old.door)

    def remove(self, link: ChainLink) -> None:
        """Takes ``link`` out; nothing happens where that was done."""
        if link not in self.links:
            return
        at = self.links.index(link)
        with _gone_allowed():
            self._point(at, self._program(at + 1))
        self.links.remove(link)
        self._settle()
        grace.wait(link.program.door)

    def _program(self, at: int) -> Program | None:
        return self.links[at].program if at < len(self.links) else None

    def _point(self, at: int, program: Program | None) -> None:
        """What runs behind the first ``at`` programs."""
        if at:
            follow(self.links[at - 1].program, program)
        else:
            self.head.point(program)

    def _settle(self) -> None:
        self.head.settle([link.program for link in self.links])

    def _at(self, order: int) -> int:
        """Where a program of that order stands. Conflict where one is there."""
        if len(self.links) + self.head.jumps > TAIL_CALLS:
            problem = f"it has {len(self.links)} programs, and the kernel follows no more"
            raise BadInput(self.head.what, problem, "put several of them into one program")
        for at, link in enumerate(self.links):
            if link.order == order:
                raise Conflict(f"place {order} of {self.head.what}", link.program.spec.name)
            if link.order > order:
                return at
        return len(self.links)

    def _check(self, program: Program) -> None:
        if program.next is None:
            name = program.spec.name
            problem = f"it does not go on to the next program of {self.head.what}"
            raise BadInput(name, problem, "declare it with its place, as @skep.xdp(order=1)")
        if any(link.program is program for link in self.links):
            raise BadInput(program.spec.name, f"it is in {self.head.what} already", "load another")


@contextmanager
def _gone_allowed() -> Iterator[None]:
    """Passes over a hook that went away by itself, as the link of a device that was deleted."""
    try:
        yield
    except KernelError as error:
        if error.errno != errno.ENOLINK:
            raise


def follow(program: Program, following: Program | None) -> None:
    """Lets ``program`` go on in ``following``, or end where that is None."""
    if program.next is None:
        return
    fd = program.next.fd
    with refused("BPF_MAP_UPDATE_ELEM", program.spec.name, door=program.door):
        if following is not None:
            value = struct.pack("<I", following.fd)
            commands.map_element(program.door, Command.MAP_UPDATE, fd, _FIRST, value)
            return
        try:
            commands.map_element(program.door, Command.MAP_DELETE, fd, _FIRST)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise
