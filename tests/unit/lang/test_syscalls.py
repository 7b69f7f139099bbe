"""Subscribers of system calls: one function in two forms, and programs that go on to the next."""

import re
from collections.abc import Callable

import pytest

import skep
from skep.base.errors import CompileError
from skep.btf.reader import Btf
from skep.btf.types import Member
from skep.btf.writer import Builder
from skep.lang import compile as compiler
from skep.lang.capture import declarations
from skep.lang.finish import finish
from skep.lang.front.scope import Target
from skep.lang.kernel_types import KernelTypes
from skep.lang.programs import Program
from skep.lang.syscall_numbers import LIMIT, NUMBERS, tracepoint
from skep.lang.syscalls import CLASSIC, RAW, raw_form, subscribes
from tests.unit.lang import programs
from tests.unit.lang.kernel import TARGET
from tests.unit.lang.prelude import counts

TWO_CALLS, TWO_EXITS = raw_form(programs.two_calls), raw_form(programs.two_exits)


def code(program: Program) -> str:
    """The module's code, without debug information."""
    text = compiler.ir(program, TARGET).text
    return re.sub(r", !dbg !\d+", "", text.partition("!llvm.dbg.cu")[0])


def tail_calls(program: Program) -> int:
    return code(program).count("i64 12 to ptr")


def test_a_subscriber_with_names_has_a_classic_and_a_raw_form() -> None:
    one, raw = programs.two_calls, raw_form(programs.two_calls)
    assert (one.kind, one.hook, one.calls) == (CLASSIC, "sys_enter", ("openat", "connect"))
    assert (raw.kind, raw.hook, raw.calls) == (RAW, "sys_enter", ("openat", "connect"))
    assert subscribes(one)
    assert subscribes(raw)
    assert not subscribes(programs.nothing)
    assert programs.two_exits.hook == "sys_exit"


def test_a_subscriber_to_all_calls_has_the_raw_form_only() -> None:
    assert (programs.every_call.kind, programs.every_call.calls) == (RAW, ())
    assert (programs.every_exit.kind, programs.every_exit.hook) == (RAW, "sys_exit")


def test_the_classic_form_reads_the_record_of_the_tracepoint() -> None:
    offsets = re.findall(r"getelementptr inbounds i8, ptr %\w+, i64 (\d+)", code(programs.one_call))
    assert offsets[:2] == ["24", "16"]
    assert tail_calls(programs.one_call) == 0


def test_the_raw_form_leaves_at_the_calls_of_others_before_it_reads_anything() -> None:
    text = code(TWO_CALLS)
    first = text.index("icmp ne i32")
    assert {f"{NUMBERS[name]}" for name in ("openat", "connect")} == set(
        re.findall(r"icmp ne i32 %\w+, (\d+)", text)
    )
    *_, di = re.finditer(r"getelementptr inbounds i8, ptr %\w+, i64 112\n", text)
    assert first < di.start()
    assert "icmp ne i32" not in code(programs.every_call)


def test_the_raw_form_at_the_exit_takes_the_number_from_the_registers() -> None:
    assert "i64 120" in code(TWO_EXITS)


@pytest.mark.parametrize(
    ("program", "verdict"),
    [(programs.one_of_several, 2), (programs.every_call, None), (TWO_EXITS, None)],
)
def test_a_chained_program_ends_with_a_jump_at_its_verdict(
    program: Program, verdict: int | None
) -> None:
    text = code(program)
    assert tail_calls(program) == 1
    assert (re.search(rf"icmp eq i32 %\w+, {verdict}\n", text) is not None) == (verdict is not None)
    jump = text.index("i64 12 to ptr")
    assert "ret i32" in text[jump:]
    (linked,) = compiler.compile_all([program], TARGET)
    made = finish(program, linked)
    assert made.spec.next is not None
    assert made.maps[made.spec.next] is declarations(program)[-1][1]
    assert made.spec.calls == program.calls


def test_only_the_program_itself_goes_on_not_what_it_calls() -> None:
    source = code(skep.xdp(order=1)(programs.functions_of_every_kind.function))
    assert source.count("i64 12 to ptr") == 1
    entry = source[source.index("define i32 @functions_of_every_kind(") :].partition("\n}")[0]
    assert "i64 12 to ptr" in entry


def test_what_is_not_chained_has_no_jump_and_no_array() -> None:
    assert tail_calls(programs.nothing) == 0
    assert "next" not in dict(declarations(programs.nothing))


@pytest.mark.parametrize("wrong", [skep.syscall, skep.syscall_exit])
def test_a_decorator_without_its_brackets_says_how_it_is_written(
    wrong: Callable[..., object],
) -> None:
    with pytest.raises(TypeError, match=r'@syscall\("openat"\)'):
        wrong(programs.nothing.function)


def test_a_place_among_others_stands_in_the_options_and_is_for_programs_of_a_device() -> None:
    with pytest.raises(ValueError, match="leave order= out"):
        skep.xdp(order=10, at="devmap")
    assert programs.one_of_several.options == (("order", 10),)


def test_numbers_are_those_of_the_abi() -> None:
    known = {"read": 0, "openat": 257, "rseq": 334, "pidfd_send_signal": 424, "clone3": 435}
    assert known.items() <= NUMBERS.items()
    assert len(set(NUMBERS.values())) == len(NUMBERS)
    assert max(NUMBERS.values()) < LIMIT


def test_a_tracepoint_has_the_kernels_name_for_a_call() -> None:
    assert tracepoint("sys_enter", "stat") == "sys_enter_newstat"
    assert tracepoint("sys_exit", "openat") == "sys_exit_openat"


def test_as_plain_python_arguments_come_in_the_order_of_the_parameters() -> None:
    kernel = skep.FakeKernel()
    programs.one_call.py(5, 100, kernel=kernel)
    programs.every_call.py(2, 7, kernel=kernel)
    assert dict(kernel[counts]) == {5: 100, 2: 7}


def test_a_machine_with_other_registers_has_no_hook_of_all_calls() -> None:
    make = Builder()
    u64 = make.integer("unsigned long", 8)
    make.struct("pt_regs", 8, [Member("x0", u64, 0)])
    other = Target(KernelTypes(Btf(make.build())), "v3", TARGET.formats)
    with pytest.raises(CompileError, match="known on x86-64 only"):
        compiler.ir(programs.every_call, other)
