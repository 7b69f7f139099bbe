"""The reader of ``.eh_frame``, beside readelf; and tables as the kernel half has them."""

import os
import re
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.large.unwinder.eh_frame import entries
from examples.large.unwinder.layout import Numbers, Slabs, pages
from examples.large.unwinder.mappings import Mapped, mapped, prefixes
from examples.large.unwinder.rules import OUTERMOST, UNKNOWN
from examples.large.unwinder.state import (
    ADDRESS_BITS,
    PAGE_BITS,
    ROWS,
    RULES,
    Base,
    Kind,
    Row,
    Rule,
    Saved,
)
from examples.large.unwinder.table import Table, made, table
from skep.base.errors import BadInput
from skep.kernel.binaries import Binary
from tools import debian

Truth = dict[int, tuple[str, str, str]]
"""By address what readelf prints: of the CFA, rbp, and the return address."""
HEAD = re.compile(r"^[0-9a-f]{8} [0-9a-f]{16} [0-9a-f]{8} (CIE|FDE)(?: cie=(\w+) pc=(\w+)\.\.)?")
BASES = {"rsp": Base.RSP, "rbp": Base.RBP}


@pytest.fixture(scope="session")
def readelf(absent: Callable[[str], NoReturn]) -> Path:
    try:
        return debian.program("binutils", "x86_64-linux-gnu-readelf")
    except debian.Unavailable as reason:
        absent(f"frames as others read them need binutils of Debian: {reason}")


def own_files() -> list[str]:
    """The program that runs this, and its libraries: libc, the dynamic linker, libpython where there is one."""
    text = Path("/proc/self/maps").read_text()
    wanted = ("libc.so", "ld-linux", "libpython", "libcrypto", "python3")
    return sorted(
        {
            one.path
            for one in mapped(text)
            if any(os.path.basename(one.path).startswith(name) for name in wanted)
        }
    )


def truth(readelf: Path, path: str) -> Truth:
    command = [str(readelf), "--debug-dump=frames-interp", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found: Truth = {}
    cies: dict[str, tuple[str, str, str]] = {}
    columns: list[str] = []
    cie = ""
    for line in done.stdout.splitlines():
        words = line.split()
        if head := HEAD.match(line):
            cie = words[0] if head[1] == "CIE" else ""
            if head[3]:  # its rows follow, unless all of it is as the CIE says
                found[int(head[3], 16)] = cies.get(head[2], ("", "", ""))
        elif words[:2] == ["LOC", "CFA"]:
            columns = words
        elif len(words) == len(columns) and words:
            row = dict(zip(columns, words, strict=True))
            one = row["CFA"], row.get("rbp", "u"), row["ra"]
            if cie:
                cies[cie] = one
            else:
                found[int(row["LOC"], 16)] = one
    return found


def said(one: Rule) -> tuple[str, str, str]:
    """A rule in readelf's words; what it calls an expression is one of several kinds."""
    if one.kind not in (Kind.OFFSET, Kind.OUTERMOST):
        return "exp", "", ""
    cfa = f"{Base(one.base).name.lower()}+{one.offset}"
    return cfa, f"c{one.rbp:+}" if one.saved else "u", "u" if one.kind == Kind.OUTERMOST else "c-8"


def agrees(one: Rule, row: tuple[str, str, str]) -> bool:
    cfa, rbp, address = row
    if address != "c-8":
        return one == OUTERMOST if address == "u" else one.kind in (Kind.SIGNAL, Kind.UNKNOWN)
    if cfa == "exp":
        return one.kind != Kind.OUTERMOST
    if cfa[:3] not in BASES or cfa[3] not in "+-":
        return one == UNKNOWN
    return said(one) == (cfa, rbp, address)


@pytest.mark.parametrize("path", own_files(), ids=os.path.basename)
def test_every_row_is_as_readelf_says(path: str, readelf: Path) -> None:
    expected = truth(readelf, path)
    with Binary.open(path) as binary:
        found = table(binary)
    wrong = {hex(at): (row, found.rule(at)) for at, row in expected.items() if row[0]}
    wrong = {at: pair for at, pair in wrong.items() if not agrees(pair[1], pair[0])}
    assert wrong == {}
    assert len(expected) > 5


def leb(number: int) -> bytes:
    """A signed LEB128 number, which of a small one is as an unsigned one."""
    done = bytearray()
    while not -64 <= number < 64:
        done.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*done, number & 0x7F])


def uleb(number: int) -> bytes:
    done = bytearray()
    while number > 0x7F:
        done.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*done, number])


def entry(body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    return struct.pack("<I", len(body)) + body


def section(
    *functions: tuple[int, int, bytes], letters: bytes = b"zR", first: bytes = b""
) -> bytes:
    """An .eh_frame at address 0: functions as start, size and instructions; ``first`` is what all begin with."""
    first = first or b"\x0c\x07\x08\x90\x01"  # CFA = rsp + 8, rip at CFA - 8
    cie = entry(b"\0\0\0\0\x01" + letters + b"\0\x01\x78\x10\x01\x00" + first)
    data = cie
    for start, size, instructions in functions:
        owner = struct.pack("<I", len(data) + 4)
        data += entry(owner + struct.pack("<QQ", start, size) + b"\0" + instructions)
    return data + bytes(4)


def ruled(instructions: bytes, letters: bytes = b"zR") -> Rule:
    return made(entries(section((0x1000, 16, instructions), letters=letters), 0)).rule(0x1000)


def expression(code: bytes) -> bytes:
    return b"\x0f" + uleb(len(code)) + code


RSP, RBP = 0x77, 0x76
PLT = b"\x77\x08\x80\x00\x3f\x1a\x3b\x2a\x33\x24\x22"
SIGNAL = b"".join(
    bytes([0x10, register]) + uleb(1 + len(leb(at))) + bytes([RSP]) + leb(at)
    for register, at in ((6, 120), (7, 160), (16, 168))
)


@pytest.mark.parametrize(
    ("instructions", "expected"),
    [
        (b"", Rule(Kind.OFFSET, offset=8)),
        (b"\x0e\x20", Rule(Kind.OFFSET, offset=32)),
        (b"\x0e\x10\x86\x02\x0d\x06", Rule(Kind.OFFSET, Base.RBP, Saved.BY_CFA, offset=16, rbp=-16)),
        (b"\x0c\x03\x10", UNKNOWN),
        (b"\x07\x10", OUTERMOST),
        (b"\x90\x02", UNKNOWN),
        (b"\x09\x06\x03", UNKNOWN),
        (expression(PLT), Rule(Kind.PLT, offset=8, more=11)),
        (expression(bytes([RSP, 0x98, 1, 6, 0x23, 8])), Rule(Kind.DEREFERENCED, offset=152, more=8)),
        (expression(bytes([RBP, 0x78, 6])), Rule(Kind.DEREFERENCED, Base.RBP, offset=-8)),
        (
            expression(bytes([RBP, 0x78, 6])) + bytes([0x10, 6, 2, RBP, 0]),
            Rule(Kind.DEREFERENCED, Base.RBP, Saved.BY_RBP, offset=-8),
        ),
        (b"\x10\x06\x02" + bytes([RSP, 8]), Rule(Kind.OFFSET, Base.RSP, Saved.BY_RSP, offset=8, rbp=8)),
        (expression(bytes([RSP, 8, 0x79, 0, 0x22])), UNKNOWN),
    ],
)  # fmt: skip
def test_a_frame_is_the_rule_that_it_says(instructions: bytes, expected: Rule) -> None:
    assert ruled(instructions) == expected


LARGE = Rule(Kind.OFFSET, offset=32)
PUSHED = Rule(Kind.OFFSET, Base.RSP, Saved.BY_CFA, offset=8, rbp=-16)


@pytest.mark.parametrize(
    ("instructions", "expected"),
    [
        (b"\x00\x0e\x20", LARGE),
        (b"\x05\x06\x02", PUSHED),
        (b"\x05\x06\x02\x06\x06\x0e\x20", LARGE),
        (b"\x05\x06\x02\x08\x06\x0e\x20", LARGE),
        (b"\x09\x03\x06\x0e\x20", LARGE),
        (b"\x11\x06\x02", PUSHED),
        (b"\x12\x07\x7c", LARGE),
        (b"\x13\x7c", LARGE),
        (b"\x14\x03\x06\x0e\x20", LARGE),
        (b"\x15\x03\x86\x00\x0e\x20", LARGE),
        (b"\x16\x03\x02\x77\x08\x0e\x20", LARGE),
        (b"\x16\x06\x02\x77\x08", UNKNOWN),
        (b"\x2e\x10\x0e\x20", LARGE),
        (b"\x2f\x06\x02", Rule(Kind.OFFSET, Base.RSP, Saved.BY_CFA, offset=8, rbp=16)),
    ],
)
def test_each_instruction_is_followed_by_the_next(instructions: bytes, expected: Rule) -> None:
    assert ruled(instructions) == expected


@pytest.mark.parametrize("code", [b"\x02\x08", b"\x03\x08\x00", b"\x04\x08\x00\x00\x00", b"\x48"])
def test_what_follows_holds_from_a_later_address_on(code: bytes) -> None:
    found = made(entries(section((0x1000, 16, code + b"\x0e\x20")), 0))
    assert found.addresses == [0x1000, 0x1008, 0x1010]
    assert found.rules[1] == LARGE


def test_the_frame_of_a_signal_leads_to_the_registers() -> None:
    assert ruled(SIGNAL, b"zRS") == Rule(Kind.SIGNAL, offset=120)
    assert ruled(SIGNAL) == UNKNOWN
    assert ruled(SIGNAL.replace(leb(160), leb(152)), b"zRS") == UNKNOWN
    assert ruled(SIGNAL.replace(bytes([0x10, 16]), bytes([0x10, 17])), b"zRS") == UNKNOWN


def test_what_is_remembered_comes_back_and_restored_is_as_at_first() -> None:
    code = b"\x0e\x10\x86\x02\x44\x0a\x0e\x08\xc6\x44\x0b"
    found = made(entries(section((0x1000, 16, code)), 0))
    pushed, popped = (
        Rule(Kind.OFFSET, 0, Saved.BY_CFA, offset=16, rbp=-16),
        Rule(Kind.OFFSET, offset=8),
    )
    assert (found.addresses, found.rules) == (
        [0x1000, 0x1004, 0x1008, 0x1010],
        [pushed, popped, pushed, UNKNOWN],
    )


def test_rows_end_with_their_function_and_padding_has_none() -> None:
    data = section((0x1000, 16, b"\x60\x0e\x10"), (0x2000, 60, b""), (0x2040, 4, b"\x0e\x18"))
    found = made(entries(data, 0))
    small, large = Rule(Kind.OFFSET, offset=8), Rule(Kind.OFFSET, offset=24)
    assert found.addresses == [0x1000, 0x1010, 0x2000, 0x2040, 0x2044]
    assert found.rules == [small, UNKNOWN, small, large, UNKNOWN]


def test_of_functions_that_overlap_the_later_holds() -> None:
    found = made(entries(section((0x1000, 64, b"\x48\x0e\x20"), (0x1004, 8, b"\x0e\x10")), 0))
    assert [(at, rule.offset) for at, rule in zip(found.addresses, found.rules, strict=True)] == [
        (0x1000, 8),
        (0x1004, 16),
        (0x100C, 0),
    ]


@pytest.mark.parametrize("cut", [5, 8, 20, 44])
def test_a_section_that_is_cut_off_is_refused(cut: int) -> None:
    data = section((0x1000, 16, b"\x0e\x10" * 9))
    with pytest.raises(BadInput, match="malformed"):
        list(entries(data[: len(data) - cut], 0))


@settings(deadline=None)
@given(st.data())
def test_bytes_that_were_changed_are_read_or_refused(data: st.DataObject) -> None:
    whole = bytearray(
        section((0x1000, 4096, SIGNAL + expression(PLT) + b"\x44\x0a\x0b\x02\x05\x0e\x10"))
    )
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = table(elf(bytes(whole)))
    except BadInput:
        return
    assert found.addresses == sorted(set(found.addresses))
    assert all(0x1000 <= at <= 0x3000 for at in found.addresses)


def elf(frames: bytes) -> Binary:
    """A file whose code lies from 0x1000 to 0x2000, with an .eh_frame at address 0."""
    names = b"\0.eh_frame\0.names\0"
    load = struct.pack("<IIQQQQQQ", 1, 5, 0x1000, 0x1000, 0, 0x1000, 0x1000, 0x1000)
    headers = b"".join(
        struct.pack("<IIQQQQIIQQ", *row)
        for row in (
            (0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
            (1, 1, 2, 0, 0x2000, len(frames), 0, 0, 8, 0),
            (11, 3, 0, 0, 0x2000 + len(frames), len(names), 0, 0, 1, 0),
        )
    )
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    places = 64, 0x2000 + len(frames) + len(names), 0, 64, 56, 1, 64, 3, 2
    head += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, *places)
    return Binary("made", (head + load).ljust(0x2000, b"\0") + frames + names + headers)


# --- as the kernel half has them ------------------------------------------------------------------------------------

SOME = [UNKNOWN, OUTERMOST, *(Rule(Kind.OFFSET, offset=8 * n) for n in range(1, 5))]
tables = st.dictionaries(st.integers(0, 5 << PAGE_BITS), st.sampled_from(SOME), min_size=1).map(
    lambda rows: Table(sorted(rows), [rows[at] for at in sorted(rows)])
)


@settings(deadline=None)
@given(tables, st.lists(st.integers(0, 6 << PAGE_BITS), max_size=30))
def test_pages_say_what_the_table_says(those: Table, asked: list[int]) -> None:
    numbers = Numbers()
    cut = dict(pages(those, numbers))
    known = {number: rule for rule, number in numbers.known.items()}
    first, last = those.addresses[0] >> PAGE_BITS, those.addresses[-1] >> PAGE_BITS
    assert sorted(cut) == list(range(first, last + 1))
    for address in (*asked, *those.addresses):
        rows = cut.get(address >> PAGE_BITS)
        if rows is not None:
            assert rows["low"][0] == 0
            at = np.searchsorted(rows["low"], address & 0xFFFF, "right") - 1
            assert known[int(rows["rule"][at])] == those.rule(address)


@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(1, ROWS)), max_size=20),
    st.permutations(range(1, 5)),
)
def test_rows_are_packed_side_by_side_and_freed_with_their_files(
    sizes: list[tuple[int, int]], order: list[int]
) -> None:
    slabs = Slabs()
    held = []
    for mark, (file, size) in enumerate(sizes):
        rows = np.full(size, mark, Row.dtype)
        held.append((slabs.place(file, rows), mark, size))
    for page, mark, size in held:
        rows = slabs.rows[page.slab][page.first : page.first + size]
        assert (rows["rule"] == mark).all()
        assert page.count == len(rows) == size
    assert slabs.taken() == sorted(slabs.rows)
    freed = [slab for file in order for slab in slabs.drop(file)]
    assert sorted(freed) == sorted({page.slab for page, _, _ in held})
    assert slabs.rows == {}


def test_a_page_of_more_rows_than_a_slab_ends_unknown() -> None:
    rules = [SOME[2 + at % 2] for at in range(ROWS + 9)]
    ((_, rows),) = pages(Table(list(range(ROWS + 9)), rules), Numbers())
    assert (len(rows), rows["rule"][-1], rows["rule"][-2]) == (ROWS, 0, 1)


def test_rules_have_numbers_until_there_are_too_many() -> None:
    numbers = Numbers()
    those = [Rule(Kind.OFFSET, offset=at) for at in range(RULES)]
    assert numbers.of(those) == [*range(1, RULES), 0]
    assert len(numbers.taken()) == RULES - 1
    assert numbers.of(those[:2]) == [1, 2]
    assert numbers.taken() == []


# --- what a process maps --------------------------------------------------------------------------------------------


@given(st.integers(0, (1 << 36) - 1), st.integers(1, 1 << 20))
def test_prefixes_cover_a_mapping_and_nothing_else(first: int, count: int) -> None:
    start, end = first << 12, first + count << 12
    found = list(prefixes(7, start, end))
    ends = [(one.address, one.address + (1 << ADDRESS_BITS - one.bits)) for one in found]
    assert [begin for begin, _ in ends] == [start, *(stop for _, stop in ends[:-1])]
    assert ends[-1][1] == end
    assert all(begin % (stop - begin) == 0 for begin, stop in ends)
    assert {one.pid for one in found} == {7}
    assert len(found) <= 2 * 20


MAPS = """\
55d0c0000000-55d0c0001000 r--p 00000000 fd:00 77                         /usr/bin/a b
55d0c0001000-55d0c0003000 r-xp 00001000 fd:00 77                         /usr/bin/a b
7f0000000000-7f0000001000 r-xp 00000000 00:00 0
7ffd00000000-7ffd00002000 r-xp 00000000 00:00 0                          [vdso]
7ffe00000000-7ffe00002000 rwxp 00000000 00:00 0                          [stack]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
"""


def test_mappings_are_code_of_files_and_of_the_vdso() -> None:
    assert list(mapped(MAPS)) == [
        Mapped(0x55D0C0001000, 0x55D0C0003000, 0x1000, ("fd:00", 77), "/usr/bin/a b"),
        Mapped(0x7FFD00000000, 0x7FFD00002000, 0, ("[vdso]", 0), "[vdso]"),
    ]


def code_of(path: str) -> Iterator[tuple[Mapped, Binary]]:
    for one in mapped(Path("/proc/self/maps").read_text()):
        if one.path == path:
            with Binary.open(path) as binary:
                yield one, binary


@pytest.mark.parametrize("path", own_files(), ids=os.path.basename)
def test_the_place_of_code_is_that_of_the_file(path: str) -> None:
    for one, binary in code_of(path):
        text = binary.section(".text")
        assert text is not None
        start = one.start - binary.code_address(one.offset) + text.address
        with open("/proc/self/mem", "rb", buffering=0) as memory:
            memory.seek(start)
            assert memory.read(64) == binary.content(text)[:64]
    with (
        Binary.open(path) as binary,
        pytest.raises(BadInput, match="no code at 0xffffffff000 of the file"),
    ):
        binary.code_address(0xFFFFFFFF000)
