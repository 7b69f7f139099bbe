"""Types by unification: what a variable is, from all that is assigned to it and all that it meets."""

import textwrap

import pytest

from skep.lang import compile as compiler
from skep.lang.tree import Function
from skep.lang.types import IntType, s32, s64, u8, u16, u32, u64
from skep.lang.values import (
    BOOL,
    Literal,
    Memory,
    Pointer,
    common,
    describe,
    join,
    literal_type,
    promote,
)
from tests.unit.lang import corpus
from tests.unit.lang.kernel import TARGET
from tests.unit.lang.prelude import Wide

HEAD = '@skep.tp_btf("sched_process_exec")\ndef p(task, old_pid, sock):\n'


def tree(lines: str, head: str = HEAD, before: str = "") -> Function:
    """The typed tree of a program with this body."""
    body = textwrap.indent(textwrap.dedent(lines).strip("\n"), "    ")
    program = corpus.program(f"{before}{head}{body}\n")
    return compiler.tree(program, TARGET)


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        ("n = 1", s64),
        ("n = -1", s64),
        ("n = 1 << 63", u64),
        ("n = task.tgid", s32),
        ("n = task.start_time", u64),
        ("n = sock.sk_state", u8),
        ("n = sock.sk_state + 1", u32),
        ("n = sock.sk_state + 300", u32),
        ("n = sock.sk_mark + 1", u32),
        ("n = sock.sk_mark + (1 << 40)", u64),
        ("n = task.tgid + (1 << 31)", s64),
        ("n = task.tgid + (1 << 40)", s64),
        ("n = task.tgid - (1 << 31)", s64),
        ("n = task.tgid - (1 << 40)", s64),
        ("n = sock.sk_mark - 1", u32),
        ("n = sock.sk_mark + task.start_time", u64),
        ("n = s64(task.tgid) + sock.sk_mark", s64),
        ("n = u16(task.tgid)", u16),
        ("n = task.state", u32),
        ("n = task.policy", u32),
        ("n = task.nice", s32),
        ("n = -sock.sk_state", u32),
        ("n = ~task.tgid", s32),
        ("n = sock.sk_state << 3", u32),
        ("n = task.start_time >> sock.sk_state", u64),
        ("n = 1 << sock.sk_state", u64),
        ("n = -1 << sock.sk_state", s64),
        ("n = (1 if sock.sk_state else 2) << sock.sk_state", u64),
        ("n = min(sock.sk_state, 5)", u32),
        ("n = sock.sk_state if task.tgid else sock.sk_mark", u32),
        ("n = sock.sk_state if task.tgid else sock.sk_state", u8),
        ("n = 1 if task.tgid else 2", s64),
        ("n = task.tgid > 1", BOOL),
        ("n = not task.tgid", BOOL),
        ("n = task.tgid > 1 and sock.sk_state > 2", BOOL),
        ("n = (task.tgid > 1) + (task.tgid > 2)", s64),
        ("n = skep.ktime_get_ns()", u64),
        ("n = skep.get_prandom_u32()", u32),
        ("n = len(task.comm)", s64),
        ("n = skep.htons(80)", u16),
        ("n = LIMIT", s64),
        ("n = Color.GREEN", s64),
        ("n = CHOICES[1]", s64),
        ("n = STATES.TCP_LISTEN", s64),
        ("n = counts.update(1, 2)", s32),
        ("n = STATE.port", u16),
        ("n = double(1)", u32),
        ("n = anything(sock.sk_state)", u32),
        ("n = anything(1)", s64),
        ("n: u8 = 300 - 100", u8),
        ("n: u16\nn = sock.sk_mark", u16),
    ],
)
def test_one_assignment_gives_a_variable_its_type(lines: str, kind: IntType) -> None:
    assert tree(lines).variables["n"] is kind


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        ("n = 0\nn = sock.sk_mark", u32),
        ("n = sock.sk_mark\nn = 0", u32),
        ("n = 0\nn = sock.sk_state", u8),
        ("n = 0\nn = sock.sk_state\nn += 1", u32),
        ("n = 300\nn = sock.sk_state", u32),
        ("n = 0\nn = sock.sk_mark\nn = task.start_time", u64),
        ("n = sock.sk_state\nn = sock.sk_mark", u32),
        ("n = -1\nn = sock.sk_mark", s64),
        ("n = -1\nn = task.tgid", s32),
        ("n = 0\nfor i in range(10):\n    n += sock.sk_mark", u32),
        ("n = 0\nfor i in range(10):\n    if i > 5:\n        n = task.start_time", u64),
        ("n = 63\nif n > task.start_time:\n    pass", u64),
        ("n = 63\nif n > sock.sk_mark:\n    pass", u32),
        ("n = 63\nm = n\nif m > sock.sk_mark:\n    pass", u32),
        ("n = 1 << 40\nif n > sock.sk_mark:\n    pass", u64),
        ("n = 63\nif n > sock.sk_mark and n < task.start_time:\n    pass", u64),
        ("n = -5\nif n > task.tgid:\n    pass", s32),
        ("n = 0\nn += 1\ncounts[1] = n", u64),
        ("n = 0\nSTATE.small = n", u32),
        ("n = 1 << 40\nSTATE.number = n", s64),
        ("n = -5\nSTATE.big = n", s64),
        ("n = 0\nreturn n", s32),
        ("n = False\nn = task.tgid", s32),
        ("n = task.tgid > 1\nn = sock.sk_mark", u32),
    ],
)
def test_all_assignments_and_meetings_give_a_variable_its_type(lines: str, kind: IntType) -> None:
    assert tree(lines).variables["n"] is kind


@pytest.mark.parametrize(
    ("bounds", "kind"),
    [
        ("10", s64),
        ("sock.sk_mark", u32),
        ("sock.sk_state", u32),
        ("1, task.start_time", u64),
        ("task.tgid, 10", s32),
        ("10, -1, -1", s64),
        ("len(task.comm)", s64),
    ],
)
def test_a_loops_variable_has_the_type_of_its_bounds(bounds: str, kind: IntType) -> None:
    assert tree(f"for n in range({bounds}):\n    pass").variables["n"] is kind


def test_a_loops_variable_takes_the_type_that_it_meets() -> None:
    assert tree("for n in range(10):\n    sock.sk_mark + n").variables["n"] is u32


def test_a_function_is_compiled_for_each_combination_of_argument_types() -> None:
    made = tree(
        "a = anything(sock.sk_mark)\nb = anything(task.start_time)\nc = anything(sock.sk_mark)"
    )
    assert [f.parameters[0].type for f in made.calls] == [u32, u64]
    assert [f.result for f in made.calls] == [u32, u64]


def test_a_parameter_that_is_annotated_keeps_its_type_whatever_is_assigned_to_it() -> None:
    before = "def f(n: u8):\n    n = 300 + n\n    return n\n"
    (called,) = tree("f(1)", before=before).calls
    assert (called.variables["n"], called.result) == (u8, u8)


@pytest.mark.parametrize("annotation", ["u8", "skep.u8", "'u8'", "'skep.u8'"])
def test_an_annotation_is_a_name_or_its_text(annotation: str) -> None:
    before = f"def f(n: {annotation}):\n    return n\n"
    (called,) = tree("f(task.tgid)", before=before).calls
    assert called.parameters[0].type is u8


def test_a_parameter_without_annotation_widens_with_what_is_assigned_to_it() -> None:
    before = "def f(n):\n    n = n + 1\n    return n\n"
    (called,) = tree("f(sock.sk_state)", before=before).calls
    assert (called.parameters[0].type, called.variables["n"], called.result) == (u8, u32, u32)


def test_results_of_a_function_are_joined() -> None:
    before = "def f(n):\n    if n > 1:\n        return u8(n)\n    return n\n"
    (called,) = tree("f(sock.sk_mark)", before=before).calls
    assert called.result is u32


def test_a_function_may_give_a_pointer_or_none() -> None:
    before = (
        "def f(n: u32):\n    if n > 1:\n        return None\n    return pairs.lookup(Pair(n, n))\n"
    )
    (called,) = tree("c = f(1)", before=before).calls
    assert called.result == Pointer(Wide, Memory.VALUE, nullable=True, what="a map lookup")


def test_a_program_may_take_fewer_arguments_than_its_tracepoint_gives() -> None:
    made = tree("return 0", head='@skep.tp_btf("sched_process_exec")\ndef p(task):\n')
    assert [p.name for p in made.parameters] == ["task"]
    assert describe(made.parameters[0].type) == "a pointer to task_struct in a kernel object"


@pytest.mark.parametrize(("kind", "memory"), [("tp_btf", Memory.KERNEL), ("raw_tp", Memory.PROBE)])
def test_only_tp_btf_trusts_the_pointers_of_a_tracepoint(kind: str, memory: Memory) -> None:
    head = f'@skep.{kind}("sched_process_exec")\ndef p(task, pid):\n'
    task, pid = tree("return 0", head=head).parameters
    assert task.type.memory is memory
    assert pid.type is s32


def test_what_stands_behind_a_constant_condition_is_left_out() -> None:
    made = tree("if LIMIT > 20:\n    nothing_of_the_kind()\nelse:\n    n = 1")
    assert made.variables["n"] is s64


# --- the rules themselves -----------------------------------------------------------------------------------------


def test_arithmetic_happens_at_32_bits_at_least() -> None:
    assert [promote(t) for t in (u8, u16, u32, u64, s32, s64)] == [u32, u32, u32, u64, s32, s64]


def test_signs_mix_only_where_the_signed_type_holds_both() -> None:
    assert common(s64, u32) is s64
    assert common(u8, s64) is s64
    assert common(s32, u32) is None
    assert common(s32, u8) is None
    assert common(u64, s64) is None


@pytest.mark.parametrize("left", [u8, u32, s32, u64, s64, Literal(0, 5), Literal(-1, 5), BOOL])
@pytest.mark.parametrize("right", [u8, u32, s32, u64, s64, Literal(0, 5), Literal(-1, 5), BOOL])
def test_joining_does_not_depend_on_the_order(left: object, right: object) -> None:
    assert join(left, right) == join(right, left)


def test_a_literal_alone_has_64_bits() -> None:
    assert literal_type(Literal(0, 5)) is s64
    assert literal_type(Literal(0, 1 << 63)) is u64
    assert literal_type(Literal(None, None)) is s64


COUNTED = """
read = []
class Counted(type):
    def __getattribute__(cls, name):
        if name == "one":
            read.append(name)
        return type.__getattribute__(cls, name)
class Limit(metaclass=Counted):
    one = 1
"""


def readings(lines: str) -> int:
    """How often ``Limit.one`` is looked at while a program with this body is read."""
    program = corpus.program(COUNTED + HEAD + textwrap.indent(lines, "    "))
    compiler.tree(program, TARGET)
    return len(program.function.__globals__["read"])


def test_a_function_is_read_again_only_where_something_was_taken_for_what_it_is_not() -> None:
    once = readings("return Limit.one")
    assert readings("n = task.tgid\nm = n + Limit.one\nreturn m & 1") == once
    assert readings("n = 0\nm = n + Limit.one\nn = task.tgid\nreturn m & 1") > once
