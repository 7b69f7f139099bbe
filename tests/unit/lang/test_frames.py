"""Functions that call each other have one stack: what is more than the kernel allows is told at the call."""

from dataclasses import replace

import pytest

from skep.base.errors import CompileError
from skep.lang import compile as compiler
from skep.lang.frames import refuse_deep
from skep.lang.linked import Linked
from skep.lang.programs import Program
from tests.unit.lang import corpus
from tests.unit.lang.kernel import TARGET

STRUCTS = """\
class Outer(skep.Struct):
    numbers: u64[{outer}]


class Inner(skep.Struct):
    numbers: u64[{inner}]


"""
CALLED = """\
@skep.{how}
def below(x: u64) -> u64:
    inner = Inner()
    skep.probe_read_kernel(inner, x)
    return inner.numbers[1]


@skep.{kind}
def p(ctx):
    outer = Outer()
    skep.probe_read_kernel(outer, 5)
    return below(outer.numbers[0]) == outer.numbers[1]
"""
CALLBACK = """\
def each(key, value):
    inner = Inner()
    skep.probe_read_kernel(inner, value)
    return inner.numbers[1] == 0


@skep.xdp
def p(ctx):
    outer = Outer()
    skep.probe_read_kernel(outer, 5)
    return u64(counts.for_each(each)) == outer.numbers[1]
"""
TIMER = """\
class Timed(skep.Struct):
    timer: skep.Timer
    hits: u64


timers = skep.Hash(u32, Timed, 4)


def later(key, value):
    inner = Inner()
    skep.probe_read_kernel(inner, 5)
    value.hits = inner.numbers[1]


@skep.tc("ingress")
def p(ctx):
    outer = Outer()
    skep.probe_read_kernel(outer, 5)
    timed = timers.lookup(1)
    if timed is not None:
        timed.timer.start(outer.numbers[1], later)
    return 0
"""


def linked(source: str) -> tuple[Linked, Program]:
    program = corpus.program(source)
    (made,) = compiler.compile_all([program], TARGET)
    return made, program


def error(source: str) -> str:
    with pytest.raises(CompileError) as caught:
        linked(source)
    return str(caught.value)


def called(outer: int, inner: int, how: str = "noinline", kind: str = "xdp") -> str:
    return STRUCTS.format(outer=outer, inner=inner) + CALLED.format(how=how, kind=kind)


@pytest.mark.parametrize("how", ["noinline", "global_function"])
def test_frames_are_added_in_steps_of_sixteen_bytes(how: str) -> None:
    assert linked(called(32, 32, how))
    assert error(called(33, 32, how)) == (
        "program.py:20:12: error: functions that call each other have 528 bytes of local variables, not 512: "
        "272 in p and 256 in below\n"
        "    20 |     return below(outer.numbers[0]) == outer.numbers[1]\n"
        "       |            ^\n"
        "  hint: put large ones into a PerCpuArray(Type, 1), and take them by lookup(0)"
    )


def test_what_a_helper_calls_at_once_is_added() -> None:
    assert "in each" in error(STRUCTS.format(outer=32, inner=40) + CALLBACK)


def test_what_runs_later_has_a_stack_of_its_own() -> None:
    assert linked(STRUCTS.format(outer=40, inner=40) + TIMER)


def test_large_frames_of_tracing_programs_are_not_added_where_the_kernel_has_stacks_for_them() -> (
    None
):
    made, program = linked(called(32, 32, kind='raw_tp("sched_switch")'))
    deeper = replace(made, insns=_deeper(made.insns))
    refuse_deep(deeper, program.kind, private=lambda: True)
    with pytest.raises(CompileError):
        refuse_deep(deeper, program.kind, private=lambda: False)
    iterator = replace(program.kind, prog_type=26, attach_type=28)
    with pytest.raises(CompileError):
        refuse_deep(deeper, iterator, private=lambda: True)


def test_a_program_that_goes_on_in_another_has_one_stack() -> None:
    made, program = linked(called(32, 32, kind='raw_tp("sched_switch")'))
    tail_call = bytes([0x85, 0, 0, 0, 12, 0, 0, 0])
    with pytest.raises(CompileError):
        refuse_deep(
            replace(made, insns=_deeper(made.insns) + tail_call), program.kind, private=lambda: True
        )


TAILS = """\
jumps = skep.ProgArray(4)


@skep.global_function
def further(ctx) -> u32:
    jumps.call(ctx, 1)
    return 0


@skep.xdp
def p(ctx):
    outer = Outer()
    skep.probe_read_kernel(outer, 5)
    return u64(further(ctx)) == outer.numbers[1]
"""


def test_what_calls_a_function_with_a_tail_call_has_little_stack() -> None:
    assert linked(STRUCTS.format(outer=30, inner=1) + TAILS)
    assert error(STRUCTS.format(outer=32, inner=1) + TAILS) == (
        "program.py:22:16: error: further() has a tail call, and what calls it has 256 bytes of local variables: "
        "less than 256 are taken\n"
        "    22 |     return u64(further(ctx)) == outer.numbers[1]\n"
        "       |                ^\n"
        "  hint: put large ones into a PerCpuArray(Type, 1), and take them by lookup(0)"
    )


def test_functions_call_each_other_eight_deep() -> None:
    chain = "".join(
        f"@skep.noinline\ndef f{i}(x: u64) -> u64:\n    return {call} + x\n\n"
        for i, call in enumerate(["skep.ktime_get_ns()", *(f"f{n}(x)" for n in range(7))])
    )
    head = "@skep.xdp\ndef p(ctx):\n    return "
    assert linked(f"{chain}{head}f6(1) == 5\n")
    assert "functions call each other more than 8 deep here" in error(f"{chain}{head}f7(1) == 5\n")


@pytest.mark.parametrize("text", ["constant=True", "kernel_address"])
def test_what_a_loader_may_switch_off_is_left_to_the_verifier(text: str) -> None:
    told = {
        "constant=True": ("LIMITS = skep.Global(Inner, constant=True)", "LIMITS.numbers[0] == 0"),
        "kernel_address": ('INIT = skep.kernel_address("init_task")', "INIT is None"),
    }
    declared, test = told[text]
    source = called(33, 32).replace("\n@skep.noinline", f"\n{declared}\n\n\n@skep.noinline")
    assert linked(
        source.replace("    return below", f"    if {test}:\n        return 1\n    return below")
    )


def _deeper(insns: bytes) -> bytes:
    """With the lowest byte of each frame one step further down."""
    words = [insns[at : at + 8] for at in range(0, len(insns), 8)]
    low = (-256).to_bytes(2, "little", signed=True)
    deeper = (-272).to_bytes(2, "little", signed=True)
    return b"".join(
        word[:2] + deeper + word[4:] if word[0] & 7 in (2, 3) and word[2:4] == low else word
        for word in words
    )
