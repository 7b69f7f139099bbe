import struct
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skep.base.errors import BadInput
from skep.lang.elf import MAX_SECTIONS, SectionType, SymbolKind, read
from tests.unit.lang.modules import compiled
from tests.unit.lang.objects import REL, SYMTAB, TEXT, build, parts, symbol


def refusal(data: bytes) -> str:
    with pytest.raises(BadInput) as caught:
        read(data, "hello.o")
    assert caught.value.place == "hello.o"
    return caught.value.problem


def test_sections_symbols_and_relocations_are_read() -> None:
    elf = read(build(parts()))
    text = elf.section(".text")
    assert text is not None
    assert (text.index, text.data, text.code, text.constant) == (1, TEXT, True, False)
    assert [(s.name, s.kind, s.section, s.size) for s in elf.symbols[1:]] == [
        ("f", SymbolKind.FUNC, 1, 16),
        ("map.0", SymbolKind.NOTYPE, 0, 0),
    ]
    (relocation,) = elf.relocations[1]
    assert (relocation.offset, relocation.type, relocation.symbol.name) == (8, 1, "map.0")


def test_a_section_without_bytes_in_the_file_may_be_of_any_size() -> None:
    bss = read(build(parts())).section(".bss")
    assert bss is not None
    assert (bss.type, bss.size, bss.data) == (SectionType.NOBITS, 1 << 40, b"")


def test_a_section_that_is_not_there_is_none() -> None:
    assert read(build(parts())).section(".data") is None


def test_what_llvm_writes_is_read() -> None:
    elf = read(compiled("everything"))
    functions = {s.name for s in elf.symbols if s.kind == SymbolKind.FUNC}
    assert functions == {"everything", "scramble", "step", "alone"}
    constants = [s.name for s in elf.sections if s.constant and s.name.startswith(".rodata")]
    assert constants == [".rodata.cst16"]


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"type": 2}, "type 2 and machine 247"),
        ({"machine": 62}, "machine 62"),
        ({"size": 40}, "headers of 40 bytes"),
        ({"count": 0}, "0 section headers"),
        ({"count": MAX_SECTIONS + 1}, f"{MAX_SECTIONS + 1} section headers"),
        ({"names": 7}, "names in number 7"),
        ({"offset": 1 << 63}, "leave the file"),
        ({"count": 100}, "leave the file"),
    ],
)
def test_a_header_that_is_wrong_is_refused(broken: dict[str, int], said: str) -> None:
    assert said in refusal(build(parts(), **broken))


def test_what_is_no_object_is_refused() -> None:
    assert "0 bytes" in refusal(b"")
    assert "little-endian" in refusal(b"\x7fELF\x01" + bytes(100))


@pytest.mark.parametrize(
    ("index", "change", "said"),
    [
        (0, {"broken": {"size": 1 << 62}}, "section .text"),
        (0, {"broken": {"offset": 1 << 62}}, "section .text"),
        (0, {"broken": {"name": 1 << 30}}, "a section name at"),
        (1, {"data": bytes(25)}, "25 bytes, no multiple of 24"),
        (1, {"link": 1}, "linked to section 1, no STRTAB"),
        (1, {"link": 99}, "linked to section 99"),
        (1, {"data": symbol(200, 0, 0)}, "a symbol name at 200"),
        (3, {"data": bytes(15)}, "no multiple of 16"),
        (3, {"link": 3}, "linked to section 3, no SYMTAB"),
        (3, {"info": 50}, "is for section 50 of"),
        (3, {"data": struct.pack("<QQ", 8, 9 << 32 | 1)}, "names symbol 9 of 3"),
        (3, {"data": struct.pack("<QQ", 16, 1)}, "an offset of 16 in 16 bytes"),
        (4, {"kind": SYMTAB, "broken": {}}, "two symbol tables"),
        (4, {"kind": REL, "info": 1, "link": 2, "broken": {}}, "two relocation sections"),
    ],
)
def test_a_section_that_is_wrong_is_refused(
    index: int, change: dict[str, object], said: str
) -> None:
    sections = parts()
    for name, value in change.items():
        setattr(sections[index], name, value)
    assert said in refusal(build(sections))


def test_a_name_has_a_limit() -> None:
    sections = parts()
    sections[2].data = b"\0" + b"f" * 600 + b"\0"
    assert "no end within 512 bytes" in refusal(build(sections))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_bytes_that_were_changed_are_read_or_refused(data: st.DataObject) -> None:
    mutated = bytearray(build(parts()))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(mutated) - 1))
        mutated[at] = data.draw(st.integers(0, 255))
    size = data.draw(st.integers(0, len(mutated)))
    with suppress(BadInput):
        read(bytes(mutated[:size] if data.draw(st.booleans()) else mutated))
