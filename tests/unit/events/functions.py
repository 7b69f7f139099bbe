"""Rings of many layouts, and the functions that make columns of them, compiled once for all tests."""

import mmap
import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np

from skep.events.columns import Kind
from skep.events.drain import numbered
from skep.events.record import Record, RecordType
from skep.kernel.native import Function
from skep.lang import native, scatter
from skep.lang.struct import Struct, StructType
from skep.lang.types import be16, be32, be64, char, s8, s16, s32, s64, u8, u16, u32, u64
from tests.unit.events.synthetic import Note, Other

Column = np.ndarray[Any, Any]
Carried = tuple[StructType, ...]
SEED, LAYOUTS = 19, 14
BEHIND, MARK = 4096, 0xA5


class Inner(Struct):
    """What fields may be made of."""

    a: u8
    b: u32


NUMBERS = (u8, u16, u32, u64, s8, s16, s32, s64, be16, be32, be64)


def _field(chance: random.Random) -> Kind:
    number, count = chance.choice(NUMBERS), chance.randrange(1, 19)
    makes: Sequence[Callable[[], Kind]] = (
        lambda: number,
        lambda: number,
        lambda: number[count],
        lambda: char[count * 3],
        lambda: u8[count],
        lambda: Inner,
        lambda: Inner[count % 4 + 1],
    )
    return chance.choice(makes)()


def _record(chance: random.Random, base: type[Struct], name: str, size: int) -> StructType:
    space = {f"f{i}": _field(chance) for i in range(chance.randrange(1, 12))}
    kind: Any = type(base)
    made: StructType = kind(name, (base,), {"__annotations__": space}, size=size)
    return made


def _carried(chance: random.Random, layout: int) -> Carried:
    """The records of a ring: a plain one, or some that share it."""
    if layout % 3 == 0:
        return (_record(chance, Struct, f"Plain{layout}", 1024),)
    names = [f"Record{layout}{i}" for i in range(layout % 3 * 2 - 1)]
    return tuple(_record(chance, Record, name, 1024) for name in names)


def _rings() -> list[Carried]:
    chance = random.Random(SEED)
    return [(Note,), (Note, Other), *(_carried(chance, layout) for layout in range(LAYOUTS))]


RINGS = _rings()


@cache
def functions() -> list[Function]:
    """The functions of RINGS, by one back end."""
    texts = [scatter.text(numbered(carried)) for carried in RINGS]
    found = []
    with TemporaryDirectory() as folder:
        for payload in native.made(scatter.NAME, texts, native.processor()):
            path = Path(folder) / "function"
            path.write_bytes(payload)
            with path.open("rb") as file:
                found.append(Function(file.fileno(), 0))
            path.unlink()
    return found


def kinds(carried: Carried) -> list[int]:
    """The kind numbers of a ring's records, 0 of plain ones."""
    return [cast("RecordType", one).kind_number if len(carried) > 1 else 0 for one in carried]


@contextmanager
def ending(size: int) -> Iterator[memoryview]:
    """The pages of a ring of ``size`` bytes, behind which there is nothing to be read."""
    fd = os.memfd_create("ring")
    try:
        os.ftruncate(fd, 2 * size + BEHIND)
        with mmap.mmap(fd, 0) as mapping:
            os.ftruncate(fd, 2 * size)
            with memoryview(mapping)[: 2 * size] as pages:
                yield pages
    finally:
        os.close(fd)


class Call:
    """A call of a function whose blocks are full of MARK; ``rows`` fit into each column."""

    def __init__(self, carried: Carried, pages: memoryview, rows: int) -> None:
        *firsts, count = scatter.places(numbered(carried))
        self.words = np.zeros(count, "u8")
        with memoryview(pages) as view:
            data = np.frombuffer(view, "u1").ctypes.data
        self.words[scatter.DATA], self.words[scatter.SIZE] = data, len(pages) // 2
        self.words[scatter.LIMIT] = rows
        self._blocks = [
            self._block(record, first, rows) for record, first in zip(carried, firsts, strict=True)
        ]

    def _block(self, record: StructType, first: int, rows: int) -> tuple[Column, Column]:
        offsets, at = [], BEHIND
        for field in record.fields:
            offsets.append(at)
            at += field.type.size * rows + BEHIND
        block, columns = np.full(at, MARK, "u1"), np.zeros(at, "?")
        for field, offset in zip(record.fields, offsets, strict=True):
            columns[offset : offset + field.type.size * rows] = True
        self.words[first + scatter.BLOCK] = block.ctypes.data
        self.words[first + scatter.OFFSETS :][: len(offsets)] = offsets
        return block, columns

    def made(self, function: Function, position: int, end: int) -> int:
        """Makes the call; the slots that were passed."""
        self.words[scatter.POSITION], self.words[scatter.END] = position, end
        return function(self.words.ctypes.data)

    def stray(self) -> int:
        """How many bytes outside of columns were written."""
        return sum(int((block[~columns] != MARK).sum()) for block, columns in self._blocks)
