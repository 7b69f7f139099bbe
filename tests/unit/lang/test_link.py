import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skep.base.errors import BadInput
from skep.btf.reader import Btf
from skep.lang.backend import IrModule, emit
from skep.lang.disasm import instructions
from skep.lang.lines import Lines
from skep.lang.link import link
from skep.lang.linked import CONSTANTS, Linked, Reference
from tests.unit.lang.modules import HEAD, compiled, linked, text
from tests.unit.lang.objects import build, parts, symbol

EVERYTHING = linked("everything")


def program(lines: str, more: str = "", entry: str = "f") -> Linked:
    module = f"{HEAD}{more}\ndefine i64 @f(ptr %ctx) nounwind {{\n{lines}\n}}\n"
    return link(emit([IrModule("f", module)])[0], entry)


def refusal(lines: str, more: str = "", entry: str = "f") -> str:
    with pytest.raises(BadInput) as caught:
        program(lines, more, entry)
    assert caught.value.place == f"the object of {entry}"
    return caught.value.problem


def shown(made: Linked) -> list[str]:
    return [line for _, line in instructions(made.insns)]


def functions(made: Linked) -> dict[str, int]:
    types = Btf(made.btf)
    return {types.name(kind): insn for insn, kind in struct.iter_unpack("<II", made.func_info)}


def test_the_entry_is_first_and_what_it_reaches_follows() -> None:
    starts = functions(EVERYTHING)
    assert list(starts) == ["everything", "scramble", "step"]
    assert list(starts.values()) == sorted(starts.values())
    assert starts["everything"] == 0


def test_a_call_goes_to_where_the_function_is_now() -> None:
    starts = functions(EVERYTHING)
    (call,) = [(at, t) for at, t in instructions(EVERYTHING.insns) if t.startswith("call pc")]
    assert call == (call[0], f"call pc+{starts['scramble'] - call[0] - 1}")
    (load,) = [(at, t) for at, t in instructions(EVERYTHING.insns) if "subprog" in t]
    assert load[1] == f"r2 = subprog[+{starts['step'] - load[0] - 1}]"


def test_what_the_loader_knows_stays_a_reference() -> None:
    by_symbol = {r.symbol: r for r in EVERYTHING.references}
    assert set(by_symbol) == {"map.0", "map.1", CONSTANTS}
    code = dict(instructions(EVERYTHING.insns))
    assert all(code[r.insn].endswith("= 0x0") for r in EVERYTHING.references)
    assert [k.name for k in EVERYTHING.kfuncs][:2] == ["bpf_iter_num_new", "bpf_iter_num_next"]
    assert {code[k.insn] for k in EVERYTHING.kfuncs} == {"call kernel-function#0"}


def test_an_address_within_a_value_is_an_addend() -> None:
    load = struct.pack("<BBhiBBhi", 0x18, 1, 0, -24, 0, 0, 0, -1) + struct.pack("<Q", 0x95)
    symbols = symbol(0, 0, 0, 0, 0) + symbol(1, 0x12, 1, size=24) + symbol(3, 0x10, 0, 0, 0)
    made = link(build(parts(load, symbols, struct.pack("<QQ", 0, 2 << 32 | 1))), "f")
    assert made.references == (Reference(0, "map.0", -24),)
    assert shown(made) == ["r1 = 0x0", "exit"]


def test_constants_come_one_after_the_other() -> None:
    assert EVERYTHING.constants == b"0123456789\0\0\0\0\0\0"
    assert linked("small").constants == b""
    made = program(
        "%a = call i64 inttoptr (i64 6 to ptr)(ptr @a, i32 9)\n"
        "%b = call i64 inttoptr (i64 6 to ptr)(ptr getelementptr (i8, ptr @b, i64 2), i32 9)\n"
        "ret i64 %b",
        '@a = private constant [10 x i8] c"aaaaaaaaa\\00"\n'
        '@b = private unnamed_addr constant [6 x i8] c"bbbbb\\00"',
    )
    places = [made.constants[r.addend : r.addend + 3] for r in made.references]
    assert places == [b"aaa", b"bbb"]


def test_any_function_can_be_the_entry() -> None:
    made = link(compiled("everything"), "alone")
    assert shown(made) == ["r0 = 7", "exit"]
    assert functions(made) == {"alone": 0}
    assert made.references == ()
    assert made.constants == b""


def test_functions_may_lie_in_sections_of_their_own() -> None:
    apart = text("everything")
    apart = apart.replace("@scramble(i64 %x) #1", '@scramble(i64 %x) #1 section "py/scramble"')
    apart = apart.replace("@step(i32 %i, ptr %sum) #1", '@step(i32 %i, ptr %sum) #1 section "py/s"')
    made = link(emit([IrModule("apart", apart)])[0], "everything")
    assert made.insns == EVERYTHING.insns
    assert (made.func_info, made.references) == (EVERYTHING.func_info, EVERYTHING.references)
    assert len(made.line_info) == len(EVERYTHING.line_info)


def test_the_lines_of_each_function_move_with_it() -> None:
    lines = Lines(EVERYTHING.line_info, EVERYTHING.btf)
    code = dict(instructions(EVERYTHING.insns))
    found = {at: lines.at(at) for at in code}
    multiplied = next(at for at, insn in code.items() if insn.endswith("*= 3"))
    span = found[multiplied]
    assert span is not None
    assert (span.file, span.line, span.text) == ("everything.py", 2, "    return x * 3 ^ 77")


def test_a_module_without_debug_information_has_none() -> None:
    made = program("ret i64 0")
    assert (made.btf, made.func_info, made.line_info) == (b"", b"", b"")


def test_an_entry_that_is_not_there_is_refused_with_those_that_are() -> None:
    assert refusal("ret i64 0", entry="g") == "0 functions are named g; there are: f"


def test_a_path_that_does_not_end_is_refused() -> None:
    lines = "call i64 inttoptr (i64 5 to ptr)()\nunreachable"
    assert "does not end in a return" in refusal(lines)


def test_data_that_is_written_is_refused() -> None:
    lines = "store volatile i64 1, ptr @state\nret i64 0"
    assert "data in .bss" in refusal(lines, "@state = global i64 0")


def test_tables_of_addresses_are_refused() -> None:
    lines = "%p = load volatile ptr, ptr @table\n%v = ptrtoint ptr %p to i64\nret i64 %v"
    assert "data in .data.rel.ro" in refusal(lines, "@table = constant [2 x ptr] [ptr @f, ptr @f]")
    sections = parts(symbols=symbol(0, 0, 0, 0, 0) + symbol(1, 0x11, 1) + symbol(3, 0x10, 0))
    sections[0].name, sections[0].flags = ".rodata", 2
    with pytest.raises(BadInput, match=r"\.rodata holds addresses"):
        link(build(sections), "f")


EXIT = struct.pack("<Q", 0x95)


@pytest.mark.parametrize(
    ("code", "relocation", "said"),
    [
        (EXIT + EXIT, (8, 1), "has a relocation at 1 (code 0x95)"),
        (struct.pack("<BBhiQ", 0x85, 0, 0, -1, 0x95), (0, 1), "type 1 on a call of map.0"),
        (struct.pack("<BBhiQQ", 0x18, 0, 0, 0, 0, 0x95), (0, 10), "type 10 on a load of map.0"),
        (struct.pack("<BBhi", 0x18, 0, 0, 0), (0, 1), "ends within a two-slot load"),
        (struct.pack("<BBhiQ", 0x85, 0x10, 0, 7, 0x95), None, "names a function where none begins"),
        (bytes(12), None, "function f is not whole"),
    ],
)
def test_code_that_is_wrong_is_refused(
    code: bytes, relocation: tuple[int, int] | None, said: str
) -> None:
    symbols = symbol(0, 0, 0, 0, 0) + symbol(1, 0x12, 1, size=len(code)) + symbol(3, 0x10, 0, 0, 0)
    fixes = struct.pack("<QQ", relocation[0], 2 << 32 | relocation[1]) if relocation else b""
    with pytest.raises(BadInput) as caught:
        link(build(parts(code, symbols, fixes)), "f")
    assert said in caught.value.problem


def test_functions_that_overlap_are_refused() -> None:
    symbols = symbol(0, 0, 0, 0, 0) + symbol(1, 0x12, 1) + symbol(3, 0x12, 1, 8, 8)
    with pytest.raises(BadInput, match=r"functions f and map\.0 overlap"):
        link(build(parts(EXIT + EXIT, symbols)), "f")


def test_a_function_without_debug_information_among_others_is_refused() -> None:
    bare = text("everything").replace("@scramble(i64 %x) #1 !dbg !20", "@scramble(i64 %x) #1")
    bare = bare.replace("mul i64 %x, 3, !dbg !24", "mul i64 %x, 3")
    bare = bare.replace("xor i64 %a, 77, !dbg !24", "xor i64 %a, 77")
    bare = bare.replace("ret i64 %b, !dbg !24", "ret i64 %b")
    with pytest.raises(BadInput, match="function scramble has no debug information"):
        link(emit([IrModule("bare", bare)])[0], "everything")


def test_equal_modules_give_equal_programs() -> None:
    assert link(emit([IrModule("again", text("everything"))])[0], "everything") == EVERYTHING


OBJECT = compiled("everything")


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_an_object_that_was_changed_is_linked_or_refused(data: st.DataObject) -> None:
    mutated = bytearray(OBJECT)
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(mutated) - 1))
        mutated[at] = data.draw(st.integers(0, 255))
    try:
        made = link(bytes(mutated), "everything")
    except BadInput:
        return
    assert all(reference.insn < len(made.insns) // 8 for reference in made.references)
    list(instructions(made.insns))
