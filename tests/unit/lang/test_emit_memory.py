"""The LLVM text of arrays, text, bit fields and prints: as few accesses as the memory allows, each where it may be."""

import re

import pytest

from skep.lang import compile as compiler
from tests.unit.lang import corpus
from tests.unit.lang.kernel import TARGET

XDP = "@skep.xdp\ndef p(ctx):\n"
EXEC = '@skep.tp_btf("sched_process_exec")\ndef p(task):\n'


def text(lines: str, head: str = XDP) -> str:
    """The module's code, without debug information."""
    body = "".join(f"    {line}\n" for line in lines.splitlines())
    made = compiler.ir(corpus.program(f"{head}{body}"), TARGET).text
    return re.sub(r", !dbg !\d+", "", made.partition("!llvm.dbg.cu")[0])


@pytest.mark.parametrize(
    ("array", "data", "words"),
    [
        ("STATE.bytes", "abcdefgh", [8]),
        ("STATE.bytes[:7]", "abcdefg", [4, 2, 1]),
        ("STATE.bytes[1:7]", "abcdef", [1, 2, 2, 1]),
        ("STATE.bytes[2:8]", "abcdef", [2, 4]),
        ("STATE.bytes[7:]", "a", [1]),
    ],
)
def test_known_bytes_are_compared_in_words_that_are_aligned(
    array: str, data: str, words: list[int]
) -> None:
    code = text(f'return {array} == b"{data}"')
    found = [int(bits) // 8 for bits in re.findall(r"icmp eq i(\d+) %t\d+, \d+", code)]
    assert found == words


def test_text_is_compared_with_its_end() -> None:
    code = text('return task.comm == "sh"', EXEC)
    assert re.findall(r"icmp eq i\d+ %t\d+, (\d+)", code) == [str(ord("s") | ord("h") << 8), "0"]
    assert re.findall(r"icmp eq i\d+ %t\d+, (\d+)", text("return STATE.name == ''")) == ["0"]


def test_memory_that_is_read_by_a_helper_is_copied_once() -> None:
    head = '@skep.raw_tp("sched_process_exec")\ndef p(task):\n'
    code = text('return task.comm == "a long name" or task.pid == 1', head)
    assert len(re.findall(r"\(i64 113 to ptr\)\(ptr captures\(none\) %\"s.text", code)) == 1


def test_a_search_is_a_function_with_a_loop() -> None:
    code = text('return STATE.bytes.find(b"ab")')
    assert re.search(r"define internal i32 @find\.1\(ptr %p0\)", code)
    assert "icmp ult i32 %t" in code
    assert 'i64 0, i64 7"' not in code


def test_parts_that_may_overlap_are_copied_by_a_detour() -> None:
    assert text("STATE.bytes[:4] = STATE.bytes[2:6]").count("call void @llvm.memcpy") == 2
    assert text("STATE.bytes[:4] = STATE.bytes[4:]").count("call void @llvm.memcpy") == 1


def test_known_text_is_written_in_words() -> None:
    code = text('STATE.name = "hello"')
    stores = re.findall(r"store i(\d+) (\d+), ptr %t\d+, align", code)
    assert [int(bits) for bits, _ in stores] == [64, 64]
    assert int(stores[0][1]).to_bytes(8, "little") == b"hello\0\0\0"


def test_a_bit_field_is_set_within_its_unit() -> None:
    code = re.sub(r"%t\d+", "%t", text("FLAGS.high = ctx.ingress_ifindex"))
    assert "and i8 %t, 7" in code or f"and i8 %t, {~(31 << 3)}" in code
    assert re.search(r"shl i8 %t, 3\n\s+%t = or i8 %t, %t\n\s+store i8 %t", code)


@pytest.mark.parametrize(("values", "helper"), [("", 6), ("1, 2, 3", 6), ("1, 2, 3, 4", 177)])
def test_a_line_is_printed_by_the_helper_that_takes_its_values(values: str, helper: int) -> None:
    code = text(f'print("n", {values})')
    assert f"inttoptr (i64 {helper} to ptr)" in code
    size = len("n " + " ".join(["%lld"] * values.count(",") + ["%lld"])) + 1 if values else 2
    assert f", i64 {size}" in code


def test_several_results_go_to_memory_of_the_caller() -> None:
    before = "@skep.noinline\ndef f(n: u32):\n    return n, u64(n)\n\n\n"
    code = text("a, b = f(3)\nreturn u32(a + b)", before + XDP)
    assert "define internal i32 @f.1(i32 zeroext %p0, ptr %out) noinline" in code
    assert "ptr %out, align 8" in code
