"""What the unwinder knows: its maps, the rules of stacks, and why a walk ends.

Python fills ``watched``, ``mappings``, ``pages``, ``slabs`` and ``rules`` (``unwinder``); the program counts in
``stacks`` and ``ends``.
"""

from enum import IntEnum

from skep import (
    Array,
    ArrayOfMaps,
    Global,
    Hash,
    Lpm,
    PerCpuArray,
    Struct,
    be64,
    s32,
    u8,
    u16,
    u32,
    u64,
)

DEPTH = 128
"""Frames of a stack at most: a power of two."""
ROWS = 1 << 14
"""Rows of a slab: 64 KiB."""
RULES = 1 << 14
PAGE_BITS = 16
"""The part of an address that a row tells apart; the rest names its page."""
FILE_SHIFT = 48
"""Where the number of the file stands in a frame, above the address in the file."""
LOW = (1 << FILE_SHIFT) - 1
ADDRESS_BITS = 96
"""Bits of a whole key of ``mappings``, without the one that counts them."""


class Kind(IntEnum):
    """How the caller is found: by its frame's address (CFA), behind which the return address lies."""

    UNKNOWN = 0
    """There is no rule, or one that is not understood."""
    OUTERMOST = 1
    """Nobody called: the stack ends here."""
    OFFSET = 2
    """CFA = base + ``offset``"""
    DEREFERENCED = 3
    """CFA = what lies at base + ``offset``, + ``more``"""
    PLT = 4
    """CFA = base + ``offset``, + 8 from byte ``more`` of an entry of 16 bytes on"""
    SIGNAL = 5
    """The registers lie at base + ``offset``, in the order of ``Interrupted``."""


class Base(IntEnum):
    """The register that a rule begins with."""

    RSP = 0
    RBP = 1


class Saved(IntEnum):
    """From where on ``Rule.rbp`` counts to the caller's rbp."""

    NOT = 0
    """It is still in the register."""
    BY_CFA = 1
    BY_RBP = 2
    BY_RSP = 3


class Rule(Struct):
    """How the caller is found, for a range of code."""

    kind: u8
    base: u8
    saved: u8
    unused: u8
    offset: s32
    more: s32
    rbp: s32


class Rules(Struct):
    each: Rule[RULES]  # type: ignore[type-arg, valid-type]


class Row(Struct):
    """A rule by number, for what lies from ``low`` of a page on, up to the next row."""

    low: u16
    rule: u16


class Slab(Struct):
    rows: Row[ROWS]  # type: ignore[type-arg, valid-type]


class PageKey(Struct):
    """64 KiB of a file's addresses."""

    file: u32
    page: u32


class Page(Struct):
    """Where the rows of a page lie; the first one is of ``low`` 0."""

    slab: u32
    first: u16
    count: u16


class Place(Struct):
    """A prefix of the addresses of a process."""

    bits: u32
    pid: u32
    address: be64


class Mapping(Struct):
    """A file in the memory of a process: an address in it is one of the file's and ``bias``."""

    start: u64
    end: u64
    bias: u64
    file: u32
    unused: u32


class Word(Struct):
    """What lies on a stack."""

    value: u64


class Interrupted(Struct):
    """What the kernel put onto a stack before a signal was handled, of ``struct sigcontext``."""

    rbp: u64
    others: u64[4]
    rsp: u64
    rip: u64


class End(IntEnum):
    """Why a walk ended."""

    COMPLETE = 0
    DEEP = 1
    UNMAPPED = 2
    NO_TABLE = 3
    NO_RULE = 4
    UNREADABLE = 5
    BACKWARDS = 6
    NO_REGISTERS = 7
    LOST = 8
    """There was no room for the stack: counted beside the reason above."""


ENDS = 16


class StackKey(Struct):
    pid: u32
    unused: u32
    hash: u64


class Stack(Struct):
    """A stack from the innermost frame on, ``depth`` frames, and how often it was met.

    A frame is a file's number and an address in it (``FILE_SHIFT``); of file 0, an address of the process.
    """

    count: u64
    depth: u32
    end: u32
    frames: u64[DEPTH]


class Walk(Struct):
    """A walk as far as it came, and the registers there; ``back`` is 1 where ``pc`` is a return address."""

    pc: u64
    sp: u64
    bp: u64
    back: u64
    here: Mapping
    pid: u32
    unused: u32
    hash: u64
    stack: Stack


class Limits(Struct):
    """How many frames a walk takes, of ``DEPTH`` at most."""

    frames: u32


limits = Global(Limits, Limits(DEPTH), constant=True)
watched = Hash(u32, u8, 1024)
mappings = Lpm(Place, Mapping, 1 << 16)
pages = Hash(PageKey, Page, 1 << 16)
slab = Array(Slab, 1)
slabs = ArrayOfMaps(slab, 1 << 12)
rules = Global(Rules)
walks = PerCpuArray(Walk, 1)
stacks = Hash(StackKey, Stack, 4096)
ends = PerCpuArray(u64, ENDS)
