"""A function of the machine's own code that makes columns of the slots of a ring: its LLVM text, and how it is called.

One walk over the slots, written for the layouts of one ring: it stops where a slot is busy or of another size, passes
over discarded ones, and stores each member of the others behind that of the row before. It calls nothing and refers
to nothing outside, so that its bytes run wherever they are mapped. It reads no further than one turn of the ring from
where it begins, and stores no more rows than it is allowed: whatever the slots hold.

Its one argument is the address of a call, an array of u64 words: first DATA to FOREIGN, then, for each class, its rows
(an answer), the address of its block, and where in the block each column begins. The result is the slots that were
passed. It knows layouts only; ``skep.events.native`` calls it.
"""

from collections.abc import Iterator, Mapping
from itertools import accumulate

from skep.lang.struct import StructType
from skep.lang.types import IntType

HEADER = 8
BUSY, DISCARD = 1 << 31, 1 << 30
"""Bits of the length in a slot's header: include/uapi/linux/bpf.h."""
DATA, SIZE, POSITION, END, LIMIT, FOREIGN = range(6)
"""Words of a call: address and size of the ring's pages, from where to where, slots at most; rows of unknown kinds."""
ROWS, BLOCK, OFFSETS = range(3)
"""Words of a class."""
LARGEST = 1024
"""Bytes of a record at most: what is larger is copied as fast by other means, and its text would be long."""
NAME = "scatter"
_AHEAD = 1024
"""Bytes that are fetched before they are read; less and more, 512 to 4096, cost the same."""
_LINE = 64
_BARE = 'nounwind "no-jump-tables"="true"'
"""Nothing beside the code: no table of branches, none for unwinding."""


def slot_bytes(header: int) -> int:
    """Bytes from a slot's header to the next one."""
    return ((header & ~(BUSY | DISCARD)) + HEADER + 7) // 8 * 8


def places(classes: Mapping[int, StructType]) -> tuple[int, ...]:
    """The first word of each class in a call, and behind them the number of all words."""
    words = (OFFSETS + len(record.fields) for record in classes.values())
    return tuple(accumulate(words, initial=FOREIGN + 1))


def text(classes: Mapping[int, StructType]) -> str:
    """The LLVM text of the function for a ring that carries ``classes`` (by kind number), all of one size."""
    lines = "\n".join(_Walk(classes).lines())
    return (
        f"define i64 @{NAME}(ptr %call) {_BARE} {{\n{lines}\n}}\n"
        "declare void @llvm.prefetch.p0(ptr, i32, i32, i32)\n"
        "declare void @llvm.memcpy.inline.p0.p0.i64(ptr, ptr, i64, i1)\n"
        + "".join(f"declare i{bits} @llvm.bswap.i{bits}(i{bits})\n" for bits in (16, 32, 64))
    )


class _Walk:
    """The text of one function. ``n`` with a class's index counts its rows."""

    def __init__(self, classes: Mapping[int, StructType]) -> None:
        self._numbers, self._records = tuple(classes), tuple(classes.values())
        self._places = places(classes)
        self._size = self._records[0].size
        self._stride = slot_bytes(self._size)

    def lines(self) -> Iterator[str]:
        yield from self._entry()
        yield from self._head()
        yield from self._take()
        for index, record in enumerate(self._records):
            yield from self._store(index, record)
        yield from self._next()
        yield from self._done()

    def _entry(self) -> Iterator[str]:
        """Clamps the window: to whole slots, to one turn of the ring, to what is allowed."""
        yield "entry:"
        yield "  fence acquire"  # the position was read before: no slot is read earlier
        for name, word in (
            ("size", SIZE),
            ("position", POSITION),
            ("end", END),
            ("limit", LIMIT),
        ):
            yield from _load(name, "i64", word)
        yield from _load("data", "ptr", DATA)
        for index, record in enumerate(self._records):
            yield from self._columns(index, record)
        yield "  %most = sub i64 %size, 8"  # slots are 8-aligned, whatever the position says
        yield "  %at = and i64 %position, %most"
        yield "  %first = getelementptr i8, ptr %data, i64 %at"
        yield "  %span = sub i64 %end, %position"
        yield "  %within = icmp ult i64 %span, %size"
        yield "  %window = select i1 %within, i64 %span, i64 %size"
        yield f"  %whole = udiv i64 %window, {self._stride}"
        yield "  %few = icmp ult i64 %whole, %limit"
        yield "  %count = select i1 %few, i64 %whole, i64 %limit"
        yield "  br label %head"

    def _columns(self, index: int, record: StructType) -> Iterator[str]:
        first = self._places[index]
        yield from _load(f"block{index}", "ptr", first + BLOCK)
        for column in range(len(record.fields)):
            name = f"{index}.{column}"
            yield from _load(f"from{name}", "i64", first + OFFSETS + column)
            yield f"  %column{name} = getelementptr i8, ptr %block{index}, i64 %from{name}"

    def _head(self) -> Iterator[str]:
        yield "head:"
        yield "  %i = phi i64 [ 0, %entry ], [ %i.next, %next ]"
        yield "  %slot = phi ptr [ %first, %entry ], [ %slot.next, %next ]"
        for counter in self._counters():
            yield f"  %{counter} = phi i64 [ 0, %entry ], [ %{counter}.next, %next ]"
        yield "  %more = icmp ult i64 %i, %count"
        yield "  br i1 %more, label %look, label %done"
        yield "look:"
        used = HEADER + max(f.offset + f.type.size for one in self._records for f in one.fields)
        for line in range(0, used, _LINE):
            yield f"  %ahead{line} = getelementptr i8, ptr %slot, i64 {_AHEAD + line}"
            # read once: not to be kept in the caches at the cost of the columns
            yield f"  call void @llvm.prefetch.p0(ptr %ahead{line}, i32 0, i32 0, i32 1)"
        yield "  %header = load atomic i32, ptr %slot acquire, align 8"
        yield f"  %record = getelementptr i8, ptr %slot, i64 {HEADER}"
        yield f"  %plain = icmp eq i32 %header, {self._size}"
        yield "  br i1 %plain, label %take, label %odd"
        yield "odd:"
        yield f"  %dropped = icmp eq i32 %header, {self._size | DISCARD}"
        yield "  br i1 %dropped, label %next, label %done"

    def _take(self) -> Iterator[str]:
        """Goes to the class of a row. One that is alone in its ring is told by nothing."""
        yield "take:"
        if len(self._records) == 1:
            yield "  br label %class0"
            return
        kind = next(f.offset for f in self._records[0].fields if f.name == "kind")
        yield f"  %kind.at = getelementptr i8, ptr %record, i64 {kind}"
        yield "  %kind = load i16, ptr %kind.at, align 2"
        cases = " ".join(f"i16 {number}, label %class{i}" for i, number in enumerate(self._numbers))
        yield f"  switch i16 %kind, label %unknown [ {cases} ]"
        yield "unknown:"
        yield "  br label %next"

    def _store(self, index: int, record: StructType) -> Iterator[str]:
        yield f"class{index}:"
        for column, field in enumerate(record.fields):
            name, kind = f"{index}.{column}", field.type
            whole = f"i{kind.bits}" if isinstance(kind, IntType) else f"[{kind.size} x i8]"
            yield f"  %in{name} = getelementptr i8, ptr %record, i64 {field.offset}"
            yield f"  %out{name} = getelementptr {whole}, ptr %column{name}, i64 %n{index}"
            if isinstance(kind, IntType):
                yield from _number(name, kind)
            else:
                yield (
                    f"  call void @llvm.memcpy.inline.p0.p0.i64(ptr align 1 %out{name}, "
                    f"ptr align 1 %in{name}, i64 {kind.size}, i1 false)"
                )
        yield "  br label %next"

    def _next(self) -> Iterator[str]:
        classes = [f"class{index}" for index in range(len(self._records))]
        origins = ["odd", *classes, *(["unknown"] if len(classes) > 1 else [])]
        yield "next:"
        counted = {f"n{index}": f"class{index}" for index in range(len(classes))}
        counted["foreign"] = "unknown"
        for counter in self._counters():
            steps = (f"[ {int(counted[counter] == one)}, %{one} ]" for one in origins)
            yield f"  %{counter}.step = phi i64 {', '.join(steps)}"
        for counter in self._counters():
            yield f"  %{counter}.next = add i64 %{counter}, %{counter}.step"
        yield "  %i.next = add i64 %i, 1"
        yield f"  %slot.next = getelementptr i8, ptr %slot, i64 {self._stride}"
        yield "  br label %head"

    def _done(self) -> Iterator[str]:
        yield "done:"
        for index, first in enumerate(self._places[:-1]):
            yield from _answer(f"n{index}", first + ROWS)
        if len(self._records) > 1:
            yield from _answer("foreign", FOREIGN)
        yield "  fence release"  # the space is given back after: no slot is read later
        yield "  ret i64 %i"

    def _counters(self) -> list[str]:
        counters = [f"n{index}" for index in range(len(self._records))]
        return [*counters, "foreign"] if len(counters) > 1 else counters


def _load(name: str, kind: str, word: int) -> Iterator[str]:
    yield f"  %at.{name} = getelementptr i64, ptr %call, i64 {word}"
    yield f"  %{name} = load {kind}, ptr %at.{name}, align 8"


def _answer(name: str, word: int) -> Iterator[str]:
    yield f"  %to.{name} = getelementptr i64, ptr %call, i64 {word}"
    yield f"  store i64 %{name}, ptr %to.{name}, align 8"


def _number(name: str, kind: IntType) -> Iterator[str]:
    """A number, in the machine's byte order."""
    yield f"  %raw{name} = load i{kind.bits}, ptr %in{name}, align 1"
    value = f"raw{name}"
    if kind.big_endian and kind.size > 1:
        value = f"value{name}"
        yield f"  %{value} = call i{kind.bits} @llvm.bswap.i{kind.bits}(i{kind.bits} %raw{name})"
    yield f"  store i{kind.bits} %{value}, ptr %out{name}, align 1"
