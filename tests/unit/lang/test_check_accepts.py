"""Programs that are right compile, through every step, and a check asks for nothing that the kernel would not."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from skep.lang import compile as compiler
from skep.lang.check.flow import check
from skep.lang.finish import finish
from skep.lang.programs import Program
from skep.lang.tree import Assign, Function, If, Node, Reserve
from tests.unit.lang import corpus, programs
from tests.unit.lang.constructs import programs as constructs
from tests.unit.lang.kernel import TARGET

PROGRAMS = {
    name: one
    for name, one in (*vars(programs).items(), *vars(constructs).items())
    if isinstance(one, Program)
}


@pytest.mark.parametrize("cpu", ["v3", "v4"])
def test_every_accepted_program_becomes_instructions(cpu: str) -> None:
    linked = compiler.compile_all(list(PROGRAMS.values()), replace(TARGET, cpu=cpu))
    for program, one in zip(PROGRAMS.values(), linked, strict=True):
        made = finish(program, one)
        assert len(made.spec.insns) % 8 == 0
        assert made.spec.insns
        assert made.spec.line_info


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_accepted_program_passes_front_end_and_checks(name: str) -> None:
    assert compiler.ir(PROGRAMS[name], TARGET).name == name


def test_equal_programs_give_equal_text() -> None:
    for program in PROGRAMS.values():
        assert compiler.ir(program, TARGET) == compiler.ir(program, TARGET)


# --- bytes of a record that nothing sets --------------------------------------------------------------------------


def _reserve(nodes: tuple[Node, ...]) -> Reserve:
    for node in nodes:
        if isinstance(node, Assign) and isinstance(node.value, Reserve):
            return node.value
        if isinstance(node, If):
            return _reserve(node.then)
    raise AssertionError("it reserves nothing")


def unset(lines: str) -> tuple[tuple[int, int], ...]:
    """(offset, size) of what is zeroed; ``pid`` is 4 bytes at 24, ``comm`` 16 at 28."""
    body = "".join(f"    {line}\n" for line in lines.splitlines())
    head = '@skep.tp_btf("sched_process_exec")\ndef p(task):\n    e = ring.reserve()\n'
    program = corpus.program(f"{head}    if e is None:\n        return\n{body}")
    entry: Function = compiler.tree(program, TARGET)
    find: Callable[[Reserve], tuple[tuple[int, int], ...]] = check(entry, program.kind)
    return find(_reserve(entry.body))


@pytest.mark.parametrize(
    ("lines", "zeroed"),
    [
        ("e.submit()", ((24, 20),)),
        ("e.pid = 1\ne.submit()", ((28, 16),)),
        ("e.comm = task.comm\ne.submit()", ((24, 4),)),
        ("e.pid = 1\ne.comm = task.comm\ne.submit()", ()),
        ("e.pid = 1\ne.comm[3] = 5\ne.submit()", ((28, 3), (32, 12))),
        ("e.pid = 1\ne.comm[e.pid & 15] = 5\ne.submit()", ((28, 16),)),
        ("e.pid = 1\nskep.get_current_comm(e.comm)\ne.submit()", ()),
        ("e.comm = task.comm\nif task.tgid:\n    e.pid = 1\ne.submit()", ((24, 4),)),
        ("e.comm = task.comm\nif task.tgid:\n    e.pid = 1\nelse:\n    e.pid = 2\ne.submit()", ()),
        (
            "e.comm = task.comm\nif task.tgid:\n    e.discard()\n    return\ne.pid = 1\ne.submit()",
            (),
        ),
        ("e.comm = task.comm\nfor i in range(task.tgid):\n    e.pid = i\ne.submit()", ((24, 4),)),
        ("e.comm = task.comm\nfor i in range(3):\n    e.pid = i\ne.submit()", ()),
    ],
)
def test_what_no_path_sets_is_zeroed_and_nothing_else(
    lines: str, zeroed: tuple[tuple[int, int], ...]
) -> None:
    assert unset(lines) == zeroed


# --- objects that are looked at -----------------------------------------------------------------------------------

LOOKS = """
@skep.tc("ingress")
def p(ctx):
    bucket = buckets.lookup(1)
    if bucket is None:
        return 1
    with bucket.lock:
        {}
    return 1
"""


@pytest.mark.parametrize(
    "lines",
    [
        "bucket.tree.first()",
        "least = bucket.tree.first()\nbucket.tree.first()\nif least is not None:\n    least.key += 1",
    ],
    ids=["without a name", "another look before it is used"],
)
def test_a_look_at_a_tree_takes_nothing_out_of_it(lines: str) -> None:
    source = LOOKS.format(lines.replace("\n", "\n        "))
    assert compiler.ir(corpus.program(source), TARGET).name == "p"


@pytest.mark.parametrize(
    "body",
    [
        "return a if number > 3 else b",
        "found = a\n    if number > 3:\n        found = b\n    return found",
        "own = Pair(number, 1)\n    a.first = own.first\n    return a",
        "own = Pair(number, 1)\n    return own.first",
        "own = Pair(number, 1)\n    return pairs.lookup(own)",
    ],
)
def test_a_function_gives_memory_that_outlives_it(body: str) -> None:
    source = f"def f(a, b, number: u32):\n    {body}\n"
    call = "@skep.xdp\ndef p(ctx):\n    return 1 if f(Pair(1, 2), Pair(3, 4), 5) else 2\n"
    assert compiler.ir(corpus.program(source + call), TARGET).name == "p"
