"""What the instructions of an entry mean: from which address on which rule holds.

Of all registers only those count that a walk needs: rip, rsp and rbp. Plain values; what an instruction is that nobody
knows is a KeyError, and what is cut off an IndexError. Source: DWARF 5, section 6.4.2; the psABI of x86-64 for numbers.
"""

from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import NamedTuple

from examples.large.unwinder.cursor import ENCODED, Cursor
from examples.large.unwinder.eh_frame import Cie

RBP, RSP, RIP = 6, 7, 16


class How(IntEnum):
    """How the place of a register is told."""

    SAME = 0
    """It is as it was."""
    UNDEFINED = 1
    CFA = 2
    """It lies at an offset from the CFA."""
    EXPRESSION = 3
    """It lies where an expression says."""
    OTHERWISE = 4


class Where(NamedTuple):
    """Where a register of the caller lies."""

    how: How
    offset: int = 0
    expression: bytes = b""


SAME, UNDEFINED, OTHERWISE = Where(How.SAME), Where(How.UNDEFINED), Where(How.OTHERWISE)


class Frame(NamedTuple):
    """What holds from an address on: the CFA as register and offset, or an expression; the registers that count."""

    register: int = 0
    offset: int = 0
    expression: bytes = b""
    rbp: Where = SAME
    rsp: Where = SAME
    rip: Where = SAME


PLACES: dict[int, Callable[[Frame, Where], Frame]] = {
    RBP: lambda frame, where: frame._replace(rbp=where),
    RSP: lambda frame, where: frame._replace(rsp=where),
    RIP: lambda frame, where: frame._replace(rip=where),
}
FIRST: dict[int, Callable[[Frame], Where]] = {
    RBP: lambda frame: frame.rbp,
    RSP: lambda frame: frame.rsp,
    RIP: lambda frame: frame.rip,
}


class Instructions:
    """Runs instructions; ``address`` and ``frame`` are how far it came."""

    def __init__(self, cie: Cie, address: int = 0, frame: Frame | None = None) -> None:
        self.cie, self.address = cie, address
        self.frame = self.first = frame or Frame()
        self.kept: list[Frame] = []

    def run(self, cursor: Cursor) -> Iterator[tuple[int, Frame]]:
        """Each address at which others follow, with the frame up to there: (the first address of it, frame)."""
        while cursor.at < cursor.end:
            code = cursor.byte()
            before = self.address, self.frame
            high, low = code & 0xC0, code & 0x3F
            if high == 0x40:
                self.address += low * self.cie.code_unit
            elif high == 0x80:
                self.saved(low, cursor.uleb() * self.cie.data_unit)
            elif high == 0xC0:
                self.restored(low)
            else:
                CODES[code](self, cursor)
            if self.address != before[0]:
                yield before
        yield self.address, self.frame

    def place(self, register: int, where: Where) -> None:
        """A register lies elsewhere from here on."""
        if register in PLACES:
            self.frame = PLACES[register](self.frame, where)

    def saved(self, register: int, offset: int) -> None:
        """It lies at an offset from the CFA."""
        self.place(register, Where(How.CFA, offset))

    def restored(self, register: int) -> None:
        """It is where it was at first."""
        if register in FIRST:
            self.place(register, FIRST[register](self.first))

    def advance(self, delta: int) -> None:
        """Go on to a later address."""
        self.address += delta * self.cie.code_unit

    def jump(self, cursor: Cursor) -> None:
        """Go on to an address: only where it is written as it is."""
        self.address = max(self.address, ENCODED[self.cie.encoding](cursor))

    def define(self, register: int, offset: int) -> None:
        """The CFA is a register and an offset."""
        self.frame = self.frame._replace(register=register, offset=offset, expression=b"")

    def remember(self, _cursor: Cursor) -> None:
        """Keep what holds."""
        self.kept.append(self.frame)

    def recall(self, _cursor: Cursor) -> None:
        """What was kept last holds again."""
        self.frame = self.kept.pop()


Instruction = Callable[[Instructions, Cursor], None]


def _block(cursor: Cursor) -> bytes:
    size = cursor.uleb()
    at = cursor.at
    cursor.skip(size)
    return cursor.data[at : cursor.at]


def _nothing(_run: Instructions, _cursor: Cursor) -> None:
    pass


def _size_of_arguments(_run: Instructions, cursor: Cursor) -> None:
    cursor.uleb()


def _expression(run: Instructions, cursor: Cursor) -> None:
    run.frame = run.frame._replace(register=-1, offset=0, expression=_block(cursor))


def _otherwise(skip: Callable[[Cursor], object]) -> Instruction:
    """A register is what no rule can say; ``skip`` reads what it would be."""

    def place(run: Instructions, cursor: Cursor) -> None:
        run.place(cursor.uleb(), OTHERWISE)
        skip(cursor)

    return place


CODES: dict[int, Instruction] = {
    0x00: _nothing,
    0x01: Instructions.jump,
    0x02: lambda run, at: run.advance(at.byte()),
    0x03: lambda run, at: run.advance(at.fixed("H")),
    0x04: lambda run, at: run.advance(at.fixed("I")),
    0x05: lambda run, at: run.saved(at.uleb(), at.uleb() * run.cie.data_unit),
    0x06: lambda run, at: run.restored(at.uleb()),
    0x07: lambda run, at: run.place(at.uleb(), UNDEFINED),
    0x08: lambda run, at: run.place(at.uleb(), SAME),
    0x09: _otherwise(Cursor.uleb),
    0x0A: Instructions.remember,
    0x0B: Instructions.recall,
    0x0C: lambda run, at: run.define(at.uleb(), at.uleb()),
    0x0D: lambda run, at: run.define(at.uleb(), run.frame.offset),
    0x0E: lambda run, at: run.define(run.frame.register, at.uleb()),
    0x0F: _expression,
    0x10: lambda run, at: run.place(at.uleb(), Where(How.EXPRESSION, 0, _block(at))),
    0x11: lambda run, at: run.saved(at.uleb(), at.sleb() * run.cie.data_unit),
    0x12: lambda run, at: run.define(at.uleb(), at.sleb() * run.cie.data_unit),
    0x13: lambda run, at: run.define(run.frame.register, at.sleb() * run.cie.data_unit),
    0x14: _otherwise(Cursor.uleb),
    0x15: _otherwise(Cursor.sleb),
    0x16: _otherwise(_block),
    0x2E: _size_of_arguments,
    0x2F: lambda run, at: run.saved(at.uleb(), -at.uleb() * run.cie.data_unit),
}
"""The instructions that are a byte of their own."""
