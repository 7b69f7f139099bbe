"""Global functions: what the verifier learns of them from their types, and what LLVM may not carry across a call."""

import re
from dataclasses import replace

import pytest

import skep
from skep.btf import types as btf
from skep.btf.reader import Btf
from skep.btf.types import Kind
from skep.btf.writer import Builder
from skep.lang import compile as compiler
from skep.lang.capture import fingerprint
from skep.lang.check.loops import Lowering, lowerings
from skep.lang.kernel_names import KernelViewOrNone
from skep.lang.kernel_types import TAGS, KernelTypes
from skep.lang.reach import reachable
from skep.lang.tree import For, walk
from tests.unit.lang import corpus
from tests.unit.lang.kernel import TARGET
from tests.unit.lang.prelude import TASK

CALLED = "\n\n\n@skep.xdp\ndef p(ctx):\n    return s32({})\n"


def tagging(base: Btf) -> Btf:
    """The types of a kernel, and those by which it is known to read tags."""
    make = Builder(base.count, base.string_end)
    make.enum(TAGS, [("ARG_TAG_CTX", 1), ("ARG_TAG_TRUSTED", 4)])
    return Btf(make.build(), base)


def text(function: str, call: str) -> str:
    """The code of a program that calls a global function."""
    program = corpus.program(f"@skep.global_function\n{function}{CALLED.format(call)}")
    code = compiler.ir(program, TARGET).text.partition("!llvm.dbg.cu")[0]
    return re.sub(r", !dbg !\d+", "", code)


def types(function: str, call: str) -> Btf:
    """The types that go to the kernel with such a program."""
    program = corpus.program(f"@skep.global_function\n{function}{CALLED.format(call)}")
    return Btf(compiler.compile_all([program], TARGET)[0].btf)


def named(found: Btf, number: int) -> str:
    kind = found.type(number)
    if isinstance(kind, btf.Ptr):
        return f"{named(found, kind.type_id)} *"
    return f"{found.name(number)}:{found.size(number)}"


def signature(found: Btf, name: str) -> tuple[int, str, list[str]]:
    """Linkage, result and parameters of a function, types with their sizes."""
    number = found.find(Kind.FUNC, name)
    assert number is not None
    function = found.type(number)
    assert isinstance(function, btf.Func)
    proto = found.prototype(number)
    return (
        function.linkage,
        named(found, proto.result),
        [named(found, one.type_id) for one in proto.params],
    )


def test_numbers_and_structs_are_described_by_their_types() -> None:
    found = types(
        "def f(pair: Pair, a: u8, b: s32, c: be16) -> s64:\n    return 1", "f(Pair(1, 2), 3, 4, 5)"
    )
    assert signature(found, "f") == (1, "s64:8", ["Pair:8 *", "u8:1", "s32:4", "u16:2"])


def test_the_context_comes_first_by_the_name_of_its_struct() -> None:
    found = types("def f(n: u32, ctx) -> bool:\n    return len(ctx) > n", "f(1, ctx)")
    assert signature(found, "f") == (1, "bool:1", ["xdp_md:24 *", "u32:4"])
    assert signature(found, "p") == (1, "int:4", ["xdp_md:24 *"])


def test_registers_are_the_context_by_the_name_that_the_verifier_knows() -> None:
    source = (
        "@skep.global_function\ndef f(ctx) -> u64:\n    return ctx.ip\n\n\n"
        '@skep.kprobe("do_unlinkat")\ndef p(ctx):\n    return s32(f(ctx))\n'
    )
    found = Btf(compiler.compile_all([corpus.program(source)], TARGET)[0].btf)
    (parameter,) = signature(found, "f")[2]
    assert parameter.startswith("bpf_user_pt_regs_t:")


def test_a_function_without_a_result_gives_a_number_to_the_kernel() -> None:
    """The kernel asks for one of every global function."""
    source = "@skep.global_function\ndef f(n: u32):\n    n + 1\n\n\n@skep.xdp\ndef p(ctx):\n    f(3)\n    return 1\n"
    found = Btf(compiler.compile_all([corpus.program(source)], TARGET)[0].btf)
    assert signature(found, "f") == (1, "int:4", ["u32:4"])


def test_other_functions_are_followed_from_their_calls() -> None:
    call = CALLED.format("f(ctx.ingress_ifindex)")
    source = f"@skep.noinline\ndef f(n: u32) -> u32:\n    return n + 1{call}"
    found = Btf(compiler.compile_all([corpus.program(source)], TARGET)[0].btf)
    assert signature(found, "f")[0] == 0


def test_llvm_carries_nothing_from_one_side_of_a_call_to_the_other() -> None:
    """The verifier does not, so a bound that LLVM leaves out as superfluous would be missing."""
    code = text("def f(n: u8) -> u8:\n    return n & 7", "f(3)")
    assert re.search(r"define weak i8 @f\.1\(i8 %p0\) noinline ", code)
    assert re.search(r"call i8 @f\.1\(i8 zeroext 3\)", code)


def test_what_may_be_none_is_passed_as_it_is() -> None:
    wide = "def f(wide: Wide | None) -> u32:\n    return 1 if wide is None else wide.small"
    assert "call i32 @f.1(ptr %t" in text(wide, "f(pairs.lookup(Pair(1, 2)))")
    assert "call i32 @f.1(ptr null)" in text(wide, "f(None)")


TAGGING = replace(TARGET, types=KernelTypes(tagging(TARGET.types.btf)))
"""The same kernel, which is told by tags what a global function is given."""


def tags(source: str) -> dict[int, list[str]]:
    """The tags of the parameters of f, by their place."""
    found = Btf(compiler.compile_all([corpus.program(source)], TAGGING)[0].btf)
    function = found.find(Kind.FUNC, "f")
    told: dict[int, list[str]] = {}
    for number in range(1, found.count):
        kind = found.type(number)
        if isinstance(kind, btf.DeclTag) and kind.type_id == function:
            told.setdefault(kind.component, []).append(kind.name)
    return told


def test_a_kernel_that_reads_tags_is_told_what_is_never_none() -> None:
    source = "@skep.global_function\ndef f(ctx, n: u32, a: Pair, b: Pair | None) -> u32:\n    return a.first"
    call = CALLED.format("f(ctx, 1, Pair(1, 2), None)")
    assert tags(source + call) == {2: ["arg:nonnull"]}
    code = compiler.ir(corpus.program(source + call), TAGGING).text
    assert "icmp eq ptr %p1, null" not in code


def test_a_dynptr_is_known_by_the_name_of_its_struct() -> None:
    source = "@skep.global_function\ndef f(memory: skep.Dynptr) -> u32:\n    return 1"
    call = CALLED.format("f(skep.Dynptr())")
    assert tags(source + call) == {}
    made = Btf(compiler.compile_all([corpus.program(source + call)], TAGGING)[0].btf)
    number = made.find(Kind.FUNC, "f")
    assert number is not None
    (given,) = made.prototype(number).params
    pointer = made.type(given.type_id)
    assert isinstance(pointer, btf.Ptr)
    assert made.name(pointer.type_id) == "bpf_dynptr"


def test_a_function_tests_what_an_earlier_kernel_is_not_told_of() -> None:
    code = text(
        "def f(n: u32, a: Pair, b: Pair | None) -> u32:\n    return a.first",
        "f(1, Pair(1, 2), None)",
    )
    assert re.search(r"= icmp eq ptr %p1, null\n.*\nnone\d*:\n  ret i32 0\n", code)
    assert "icmp eq ptr %p2" not in code


def test_objects_of_the_kernel_are_trusted() -> None:
    source = (
        '@skep.global_function\ndef f(a: TASK, b: "TASK | None", c: "None | TASK") -> u32:\n'
        "    return a.tgid if b is None else b.tgid\n\n\n"
        '@skep.tp_btf("sched_process_exec")\ndef p(task):\n    return f(task, task.real_parent, None)\n'
    )
    both = ["arg:nullable", "arg:trusted"]
    assert {at: sorted(one) for at, one in tags(source).items()} == {
        0: ["arg:trusted"],
        1: both,
        2: both,
    }
    found = Btf(compiler.compile_all([corpus.program(source)], TAGGING)[0].btf)
    assert signature(found, "f")[2] == ["task_struct:128 *"] * 3
    assert KernelViewOrNone(TASK) == (TASK | None)


def test_the_context_of_any_kind_is_told_by_a_tag() -> None:
    source = (
        "@skep.global_function\ndef f(n: u32, ctx) -> u64:\n    return ctx.dfd + n\n\n\n"
        '@skep.tracepoint("syscalls/sys_enter_openat")\ndef p(ctx):\n    return s32(f(1, ctx))\n'
    )
    assert tags(source) == {0: ["arg:ctx"]}
    found = Btf(compiler.compile_all([corpus.program(source)], TAGGING)[0].btf)
    assert signature(found, "f")[2] == ["void:0 *", "u32:4"]


def test_a_loop_is_short_whatever_the_global_functions_in_it_do() -> None:
    source = (
        "{}\ndef f(n: u32) -> u32:\n    for i in range(5000):\n        n ^= i * n + 3\n    return n\n\n\n"
        "@skep.xdp\ndef p(ctx):\n    n: u32 = 0\n    for i in range(20):\n        n = f(n)\n    return s32(n)\n"
    )
    found = []
    for mark in ("@skep.global_function", "@skep.noinline"):
        entry = compiler.tree(corpus.program(source.format(mark)), TARGET)
        how = lowerings(reachable(entry), iterates=True)
        found += [how(node) for node in walk(*entry.body) if isinstance(node, For)]
    assert found == [Lowering.PLAIN, Lowering.ITERATOR]


def test_an_object_that_decorators_marked_otherwise_has_another_key() -> None:
    def one(n: int) -> int:
        return n

    plain = fingerprint(one)
    assert fingerprint(skep.global_function(one)) != plain


@pytest.mark.parametrize("mark", ["@skep.global_function", "@skep.noinline", "@skep.inline"])
def test_a_result_has_the_type_that_is_written_behind_the_parameters(mark: str) -> None:
    source = (
        f"{mark}\ndef f(n: u64) -> u8:\n    return n\n\n\n"
        "@skep.xdp\ndef p(ctx):\n    return s32(f(0x1FF) + u64(1 << 40))\n"
    )
    program = corpus.program(source)
    (called,) = compiler.tree(program, TARGET).calls
    assert called.result is skep.u8
    assert program.py(b"") == 255
