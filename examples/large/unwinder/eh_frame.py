"""The entries of an ``.eh_frame`` section: for each range of code, instructions that say how its caller is found.

A pure function of bytes, which may be anybody's: what is malformed is BadInput. What the instructions mean is the
business of ``frames``. Source: Linux Standard Base, "Exception Frames"; DWARF 5, section 6.4.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from examples.large.unwinder.cursor import ENCODED, Cursor
from skep.base.errors import BadInput

ABSOLUTE, RELATIVE = 0x00, 0x10
MASK = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Cie:
    """What entries have in common ("common information entry"); ``first`` are the instructions that all begin with."""

    code_unit: int
    data_unit: int
    encoding: int
    augmented: bool
    signal: bool
    first: Cursor


@dataclass(frozen=True, slots=True)
class Fde:
    """The code from ``start`` to ``stop``, and its instructions ("frame description entry")."""

    start: int
    stop: int
    cie: Cie
    instructions: Cursor


def entries(data: bytes, address: int, name: str = ".eh_frame") -> Iterator[Fde]:
    """The entries of a section that lies at ``address`` in memory. BadInput where it is malformed."""
    cies: dict[int, Cie] = {}
    cursor = Cursor(data)
    try:
        while cursor.at < len(data):
            body, end, place = _entry(cursor)
            if body == end:
                break
            owner = Cursor(data, body, end).fixed("I")
            if owner:
                cie = _cie_at(data, place - owner, cies)
                yield _fde(Cursor(data, body + 4, end), cie, address)
            cursor.at = end
    except (IndexError, KeyError) as error:
        raise BadInput(name, f"the entry at {cursor.at:#x} is malformed ({error})") from error


def _entry(cursor: Cursor) -> tuple[int, int, int]:
    """Where an entry's body begins and ends, and the place that its distance to a CIE is counted from."""
    at = Cursor(cursor.data, cursor.at)
    size = at.fixed("I")
    if size == 0xFFFFFFFF:
        size = at.fixed("Q")
    body = at.at
    at.skip(size)
    return body, at.at, body


def _cie_at(data: bytes, offset: int, known: dict[int, Cie]) -> Cie:
    if offset not in known:
        if offset < 0:
            raise IndexError("its CIE lies before the section")
        body, end, _ = _entry(Cursor(data, offset))
        known[offset] = _cie(Cursor(data, body, end))
    return known[offset]


def _cie(cursor: Cursor) -> Cie:
    if cursor.fixed("I"):
        raise KeyError("its CIE is none")
    version = cursor.byte()
    augmentation = cursor.text().decode("latin-1")
    code_unit, data_unit = cursor.uleb(), cursor.sleb()
    if version == 1:
        cursor.byte()
    else:
        cursor.uleb()
    encoding = ABSOLUTE
    if augmentation.startswith("z"):
        size = cursor.uleb()
        rest = Cursor(cursor.data, cursor.at, cursor.end)
        cursor.skip(size)
        encoding = _augmented(rest, augmentation[1:])
    elif augmentation:
        raise KeyError(f"augmentation {augmentation!r}")
    signal = "S" in augmentation
    return Cie(code_unit, data_unit, encoding, augmentation != "", signal, cursor)


def _augmented(cursor: Cursor, letters: str) -> int:
    """The encoding of an entry's addresses."""
    encoding = ABSOLUTE
    for letter in letters:
        if letter == "R":
            encoding = cursor.byte()
        elif letter == "P":
            ENCODED[cursor.byte() & 0xF](cursor)
        elif letter == "L":
            cursor.byte()
    return encoding


def _fde(cursor: Cursor, cie: Cie, address: int) -> Fde:
    read = ENCODED[cie.encoding & 0xF]
    applied = cie.encoding & 0xF0
    if applied not in (ABSOLUTE, RELATIVE):
        raise KeyError(f"pointers of encoding {cie.encoding:#x}")
    base = address + cursor.at if applied == RELATIVE else 0
    start = (base + read(cursor)) & MASK
    size = read(cursor)
    if cie.augmented:
        cursor.skip(cursor.uleb())
    return Fde(start, start + max(size, 0), cie, cursor)
