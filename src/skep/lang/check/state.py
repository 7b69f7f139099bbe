"""What is known at one point of a program: variables that are set, pointers that are checked, records that are held."""

from dataclasses import field, replace
from typing import Self

from skep.base.frozen import frozen
from skep.lang.check import sections
from skep.lang.check.loans import NO_LOANS, Loans, merged
from skep.lang.check.sections import Open
from skep.lang.tree import Reserve


@frozen
class Held:
    """A record that is reserved and not yet released; ``written`` has a bit for each byte that was set."""

    reserve: Reserve
    written: int = 0


@frozen
class State:
    """Facts that hold on every path to a point, but ``held`` and ``released``: those that hold on some path.

    ``lent`` has the parameters that point into a caller's record, and the bytes there that were set; ``loans`` are the
    pointers that end before their variables, ``open`` the sections that were begun.
    """

    assigned: frozenset[str] = frozenset()
    present: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()
    held: dict[str, Held] = field(default_factory=dict)
    released: dict[str, str] = field(default_factory=dict)
    lent: dict[str, int] = field(default_factory=dict)
    loans: Loans = NO_LOANS
    open: Open = field(default_factory=dict)

    def bind(self, name: str, *, present: bool = False, absent: bool = False) -> Self:
        """After an assignment of a value that is known to be there, known to be None, or neither."""
        return replace(
            self,
            assigned=self.assigned | {name},
            present=self.present | {name} if present else self.present - {name},
            absent=self.absent | {name} if absent else self.absent - {name},
            released={k: v for k, v in self.released.items() if k != name},
            lent={k: v for k, v in self.lent.items() if k != name},
            loans=self.loans.without(name),
        )

    def found(self, name: str) -> Self:
        """Where a pointer was found not to be None."""
        known = self.loans.test(name, missing=False)
        return replace(self, present=self.present | {name}, loans=known)

    def missing(self, name: str) -> Self:
        """Where a pointer was found to be None: then nothing is held under its name."""
        held = {k: v for k, v in self.held.items() if k != name}
        known = self.loans.test(name, missing=True)
        return replace(self, absent=self.absent | {name}, held=held, loans=known)

    def hold(self, name: str, reserve: Reserve) -> Self:
        """After ``name = ring.reserve()``."""
        return replace(self, held=self.held | {name: Held(reserve)})

    def borrow(self, known: Loans) -> Self:
        """With other loans."""
        return self if known is self.loans else replace(self, loans=known)

    def idle(self, name: str) -> bool:
        """Whether a variable holds nothing: it is None, or was not assigned."""
        return name in self.absent or name not in self.assigned

    def within(self, known: Open) -> Self:
        """With other sections."""
        return self if known is self.open else replace(self, open=known)

    def lend(self, name: str) -> Self:
        """A parameter points into a record."""
        return replace(self, lent=self.lent | {name: 0})

    def written(self, name: str) -> int | None:
        """The bytes that were set behind a variable, a bit each; None where it leads to no record."""
        return self.held[name].written if name in self.held else self.lent.get(name)

    def write(self, name: str, mask: int) -> Self:
        """After the bytes of ``mask`` were set."""
        if name in self.lent:
            return replace(self, lent=self.lent | {name: self.lent[name] | mask})
        if name not in self.held:
            return self
        record = self.held[name]
        written = record.written | mask
        return replace(self, held=self.held | {name: replace(record, written=written)})

    def release(self, name: str, action: str) -> Self:
        """After submit or discard."""
        held = {k: v for k, v in self.held.items() if k != name}
        return replace(
            self, held=held, released=self.released | {name: action}, present=self.present - {name}
        )


def merge(left: State | None, right: State | None) -> State | None:
    """Where two paths meet; None is a path that does not get there."""
    if left is None or right is None:
        return left or right
    held = dict(left.held)
    for name, other in right.held.items():
        mine = held.get(name)
        held[name] = replace(other, written=mine.written & other.written) if mine else other
    return State(
        left.assigned & right.assigned,
        left.present & right.present,
        left.absent & right.absent,
        held,
        left.released | right.released,
        {k: v & right.lent[k] for k, v in left.lent.items() if k in right.lent},
        merged(left.loans, right.loans, (left.idle, right.idle)),
        sections.merged(left.open, right.open),
    )
