"""Which bytes of a record are zeroed, across functions: what nothing sets, and what is read before it is set."""

import pytest

from skep.lang import compile as compiler
from skep.lang.check.flow import check
from skep.lang.tree import Assign, Function, If, Node, Reserve
from tests.unit.lang import corpus
from tests.unit.lang.kernel import TARGET

HEAD = '@skep.tp_btf("sched_process_exec")\ndef p(task):\n    e = ring.reserve()\n'
ALL = ((24, 20),)
"""``pid`` has 4 bytes at 24, ``comm`` 16 at 28."""


def reserved(nodes: tuple[Node, ...]) -> Reserve:
    for node in nodes:
        if isinstance(node, Assign) and isinstance(node.value, Reserve):
            return node.value
        if isinstance(node, If):
            return reserved(node.then)
    raise AssertionError("it reserves nothing")


def zeroed(functions: str, lines: str) -> tuple[tuple[int, int], ...]:
    """(offset, size) of what is zeroed in a program that submits its record after ``lines``."""
    body = "".join(f"    {line}\n" for line in [*lines.splitlines(), "e.submit()"])
    source = f"{functions}\n{HEAD}    if e is None:\n        return\n{body}"
    program = corpus.program(source)
    entry: Function = compiler.tree(program, TARGET)
    return check(entry, program.kind)(reserved(entry.body))


SETS = """
def sets(e, task):
    e.pid = task.tgid
    e.comm = task.comm
"""
SOMETIMES = """
def sometimes(e, task):
    if task.tgid > 1:
        e.pid = 1
        return
    e.comm = task.comm
"""
BOTH_WAYS = """
def both_ways(e, task):
    e.comm = task.comm
    if task.tgid > 1:
        e.pid = 1
        return
    e.pid = 2
"""
DEEPER = f"{SETS}\ndef deeper(e, task):\n    sets(e, task)\n"
PART = "\ndef part(place):\n    place[0] = u8(1)\n    place[1] = u8(2)\n"
READS = "\ndef reads(e):\n    return e.pid\n"
ADDS = "\ndef adds(e):\n    e.pid += 1\n"
LOOPS = "\ndef loops(e, task):\n    for i in range(task.tgid):\n        e.pid = i\n"


@pytest.mark.parametrize(
    ("functions", "lines", "expected"),
    [
        (SETS, "sets(e, task)", ()),
        (DEEPER, "deeper(e, task)", ()),
        (SETS, "if task.tgid:\n    sets(e, task)", ALL),
        (SOMETIMES, "sometimes(e, task)", ALL),
        (BOTH_WAYS, "both_ways(e, task)", ()),
        (LOOPS, "loops(e, task)\ne.comm = task.comm", ((24, 4),)),
        (PART, "e.pid = 1\npart(e.comm)", ((30, 14),)),
        (PART, "e.pid = 1\npart(e.comm)\ne.comm = task.comm", ()),
    ],
)
def test_what_a_function_sets_on_every_path_is_not_zeroed(
    functions: str, lines: str, expected: tuple[tuple[int, int], ...]
) -> None:
    assert zeroed(functions, lines) == expected


@pytest.mark.parametrize(
    ("functions", "lines", "expected"),
    [
        ("", "e.pid += 1\ne.comm = task.comm", ((24, 4),)),
        ("", "e.pid = 1\ne.pid += 1\ne.comm = task.comm", ()),
        ("", "e.comm = task.comm\nif e.pid == 3:\n    e.pid = 4\nelse:\n    e.pid = 5", ((24, 4),)),
        ("", "n = e.comm[2]\ne.pid = n\ne.comm = task.comm", ((30, 1),)),
        ("", "n = e.comm[task.tgid & 15]\ne.pid = n\ne.comm = task.comm", ALL),
        ("", "n = e.seq + e.time\ne.pid = u32(n)\ne.comm = task.comm", ()),
        (READS, "e.pid = reads(e)\ne.comm = task.comm", ((24, 4),)),
        (READS, "e.pid = 1\ne.pid = reads(e)\ne.comm = task.comm", ()),
        (ADDS, "adds(e)\ne.comm = task.comm", ((24, 4),)),
        ("", "e.pid = 1\nring.output(e)\ne.comm = task.comm", ((28, 16),)),
        ("", "e.pid = 1 if e.comm[0] == 3 else 2\ne.comm = task.comm", ((28, 1),)),
        (
            "",
            "if task.tgid or e.pid:\n    e.pid = 1\nelse:\n    e.pid = 2\ne.comm = task.comm",
            ((24, 4),),
        ),
    ],
)
def test_what_is_read_before_it_is_set_is_zero(
    functions: str, lines: str, expected: tuple[tuple[int, int], ...]
) -> None:
    assert zeroed(functions, lines) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("if skep.get_current_comm(e.comm) < 0:\n    e.pid = 1\nelse:\n    e.pid = 2", ()),
        ("e.pid = u32(skep.get_current_comm(e.comm))", ()),
        ("e.pid = 1\nskep.probe_read_kernel(e.comm, 5, u64(task))", ((33, 11),)),
        ("e.pid = 1\nskep.probe_read_kernel(e.comm, task.tgid & 15, u64(task))", ((28, 16),)),
        ("e.pid = 1 if task.tgid and skep.get_current_comm(e.comm) < 0 else 2", ((28, 16),)),
    ],
)
def test_what_a_helper_sets_is_not_zeroed_as_far_as_its_size_is_known(
    lines: str, expected: tuple[tuple[int, int], ...]
) -> None:
    assert zeroed("", lines) == expected


@pytest.mark.parametrize(
    "call",
    [
        "probe_read_kernel_str(e.comm, u64(task))",
        "probe_read_user_str(e.comm, u64(task))",
        "probe_read_kernel_str(e.comm, 16, u64(task))",
        "get_task_stack(task, e.comm, 0)",
    ],
)
def test_what_a_helper_may_leave_as_it_was_is_zeroed(call: str) -> None:
    assert zeroed("", f"e.pid = 1\nskep.{call}") == ((28, 16),)


def test_what_was_set_before_such_a_helper_is_not_zeroed() -> None:
    lines = "e.pid = 1\ne.comm = task.comm\nskep.probe_read_kernel_str(e.comm, u64(task))"
    assert zeroed("", lines) == ()


@pytest.mark.parametrize("call", ["get_current_comm(e.comm)", "get_stack(e.comm, 0)"])
def test_what_a_helper_fills_is_not_zeroed(call: str) -> None:
    assert zeroed("", f"e.pid = 1\nskep.{call}") == ()
