"""What keeps programs small: one exit, no copies of keys, what LLVM is told of memory. Sizes beside clang's: bench."""

import re

import pytest

from skep.lang import compile as compiler
from tests.unit.lang import corpus
from tests.unit.lang.kernel import TARGET

HEAD = '@skep.tp_btf("sched_process_exec")\ndef p(task):\n'


def module(lines: str) -> str:
    """The code of a program, without debug information."""
    body = "".join(f"    {line}\n" for line in lines.splitlines())
    text = compiler.ir(corpus.program(f"{HEAD}{body}"), TARGET).text
    return re.sub(r", !dbg !\d+", "", text.partition("!llvm.dbg.cu")[0])


def size(lines: str) -> int:
    """The instructions of a program."""
    body = "".join(f"    {line}\n" for line in lines.splitlines())
    (linked,) = compiler.compile_all([corpus.program(f"{HEAD}{body}")], TARGET)
    return len(linked.insns) // 8


def test_a_function_has_one_exit() -> None:
    code = module("if task.tgid == 1:\n    return 1\nif task.tgid == 2:\n    return 2\nreturn 3")
    assert len(re.findall(r"^  ret ", code, re.MULTILINE)) == 1


def test_a_variable_is_a_key_where_it_is() -> None:
    used = "n = task.tgid\nm = counts.lookup(n)\nif m is None:\n    counts.update(n, 1)"
    code = module(used)
    assert len(re.findall(r'ptr readonly captures\(none\) %"v.n"', code)) == 2
    assert '"s.key' not in code
    assert '"s.key' in module("m = counts.lookup(u32(task.tgid + 1))\nreturn m is None")


def test_a_variable_that_is_a_key_is_stored_once() -> None:
    once = size("n = u32(task.tgid)\ndel counts[n]")
    assert size("n = u32(task.tgid)\ndel counts[n]\ndel counts[n]") == once + 5


@pytest.mark.parametrize(
    ("lines", "argument"),
    [
        ("counts.delete(5)", r'i64 3 .*ptr readonly captures\(none\) %"s.key'),
        (
            "counts.update(5, 6)",
            r"ptr readonly captures\(none\) %\S+, ptr readonly captures\(none\) %\S+, i64",
        ),
        ("skep.get_current_comm(STATE.name)", r"i64 16 .*\(ptr captures\(none\) %"),
    ],
)
def test_llvm_is_told_what_a_helper_does_with_memory(lines: str, argument: str) -> None:
    assert re.search(argument, module(lines))


def test_llvm_is_told_how_memory_of_the_kernel_is_aligned() -> None:
    for lines in (
        "e = ring.reserve()\nif e is not None:\n    e.discard()",
        "counts.lookup(1) is None",
    ):
        assert "call align 8 ptr" in module(lines)


def test_what_is_zeroed_is_zeroed_in_words() -> None:
    rest = "if e is None:\n    return\ne.pid = 1\ne.comm[1] = 2\ne.submit()"
    code = module(f"e = ring.reserve()\n{rest}")
    filled = re.findall(r"llvm.memset\S+\(ptr align (\d+) %t\d+, i8 0, i64 (\d+)", code)
    assert filled == [("8", "8"), ("8", "16")]
