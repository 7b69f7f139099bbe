import struct
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skep.base.errors import BadInput
from skep.btf.reader import Btf
from skep.btf.types import Kind
from skep.lang.debuginfo import loadable, records

STRINGS = b"\0int\0f\0var\0.ksyms\0.text\0tag\0"
INT, F, VAR, KSYMS, TEXT, TAG = (
    STRINGS.index(b"\0" + n + b"\0") + 1
    for n in (b"int", b"f", b"var", b".ksyms", b".text", b"tag")
)


def kind(name: int, which: int, count: int, size_or_type: int, *more: int) -> bytes:
    return struct.pack(f"<III{len(more)}I", name, which << 24 | count, size_or_type, *more)


def blob(*types: bytes, strings: bytes = STRINGS) -> bytes:
    body = b"".join(types)
    return (
        struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(body), len(body), len(strings))
        + body
        + strings
    )


NUMBER = kind(INT, Kind.INT, 0, 4, 32)
PROTO = kind(0, Kind.FUNC_PROTO, 0, 1)
STATIC = kind(F, Kind.FUNC, 0, 2)
EXTERN = kind(F, Kind.FUNC, 2, 2)


def test_what_the_kernel_takes_stays_as_it_is() -> None:
    given_types = blob(NUMBER, PROTO, STATIC, kind(VAR, Kind.VAR, 0, 1, 1))
    assert loadable(given_types, "o") is given_types


def test_what_it_refuses_becomes_const_void_and_ids_stay() -> None:
    section = kind(KSYMS, Kind.DATASEC, 2, 0, 4, 0, 4, 5, 4, 4)
    made = loadable(
        blob(NUMBER, PROTO, STATIC, EXTERN, kind(VAR, Kind.VAR, 0, 1, 2), section, NUMBER), "o"
    )
    types = Btf(made)
    kinds = [types.kind(number) for number in range(1, types.count)]
    assert kinds == [
        Kind.INT,
        Kind.FUNC_PROTO,
        Kind.FUNC,
        Kind.CONST,
        Kind.CONST,
        Kind.CONST,
        Kind.INT,
    ]
    assert types.name(3) == "f"
    assert types.name(7) == "int"


def test_a_tag_of_what_was_refused_goes_too() -> None:
    tags = kind(TAG, Kind.DECL_TAG, 0, 3, 0xFFFFFFFF), kind(TAG, Kind.DECL_TAG, 0, 4, 0xFFFFFFFF)
    types = Btf(loadable(blob(NUMBER, PROTO, STATIC, EXTERN, *tags), "o"))
    assert [types.kind(5), types.kind(6)] == [Kind.DECL_TAG, Kind.CONST]


def ext(functions: bytes, lines: bytes = b"", *, relocations: int = 0) -> bytes:
    parts = (0, len(functions), len(functions), len(lines), 0, relocations)
    return struct.pack("<HBBIIIIIII", 0xEB9F, 1, 0, 32, *parts) + functions + lines


def section(size: int, name: int, *rows: bytes) -> bytes:
    return struct.pack("<III", size, name, len(rows)) + b"".join(rows)


TYPES = blob(NUMBER, PROTO, STATIC)


def test_records_are_read_by_section_in_rising_order() -> None:
    functions = section(8, TEXT, struct.pack("<II", 64, 3), struct.pack("<II", 0, 2))
    lines = section(16, TEXT, struct.pack("<IIII", 8, 1, 2, 3))
    found = records(ext(functions, lines), TYPES, "o")
    assert found.functions == {".text": [(0, b"\2\0\0\0"), (64, b"\3\0\0\0")]}
    assert found.lines == {".text": [(8, struct.pack("<III", 1, 2, 3))]}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "shorter than its header"),
        (bytes(32), "has magic 0x0"),
        (ext(b"")[:24].replace(b"\x20\0\0\0", b"\xff\0\0\0"), "header 255"),
        (ext(section(12, TEXT)), "not of 8 bytes"),
        (ext(section(8, TEXT, bytes(8))[:-1]), "leaves its section"),
        (ext(section(8, 9999)), "outside of the strings"),
        (ext(b"", relocations=4), "CO-RE records"),
        (struct.pack("<HBBIIIIIII", 0xEB9F, 1, 0, 32, 0, 99, 0, 0, 0, 0), "leaves its section"),
    ],
)
def test_records_that_are_wrong_are_refused(data: bytes, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        records(data, TYPES, "o")
    assert said in caught.value.problem


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "shorter than its header"),
        (bytes(24), "has magic 0x0"),
        (struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, 99, 0, 0), "leaves its section"),
        (blob(kind(0, Kind.INT, 0, 4)), "leaves its section"),
        (blob(struct.pack("<III", 0, 30 << 24, 0)), "kind 30"),
        (blob(b"\1\2\3\4"), "leaves its section"),
    ],
)
def test_types_that_are_wrong_are_refused(data: bytes, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        loadable(data, "o")
    assert said in caught.value.problem


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(types: bytes, rows: bytes) -> None:
    header = struct.pack("<HBBI", 0xEB9F, 1, 0, 24)
    for data in (types, header + types):
        with suppress(BadInput):
            records(struct.pack("<HBBI", 0xEB9F, 1, 0, 32) + rows, loadable(data, "o"), "o")
