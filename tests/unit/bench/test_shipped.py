"""What is shipped, and that all of it has a twin: no module of the tree has a program that nobody measures."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import bench
import skep
from bench import shipped
from bench.shipped import EXAMPLES, programs
from skep.lang.programs import Program

TESTS = Path(__file__).parents[2] / "kernel"
SCRIPTS = {"skep.lang.llvm"}
"""Run by path, never imported; and so is every ``__main__``."""

COMPARING = [
    *TESTS.glob("bench/test_twins*.py"),
    *TESTS.glob("large/test_*_twin.py"),
]
UNCOMPARED = {
    "bench.programs nothing": "it does nothing",
    "bench.programs nothing_at_getpid": "it does nothing",
    "bench.programs nothing_elsewhere": "it does nothing",
    "examples/16_no_exec.py on_exec": "a policy of the machine refuses LSM, and no guest has clang",
    "flows.programs.attempts on_connected": "the same, of fexit",
    "flows.programs.connections on_accepted": "the same, of fexit",
    "trace.programs.oom on_victim_before": "it is for older kernels, and no guest has clang",
    "trace.programs.oom on_victim_pid": "the same",
}
"""Programs that no test runs beside their twin, and why."""


def modules() -> Iterator[str]:
    """Every module of skep, of the benches and of the large examples."""
    found = [one.name for one in pkgutil.walk_packages(skep.__path__, "skep.")]
    found += [one.name for one in pkgutil.iter_modules(bench.__path__, "bench.")]
    for path in EXAMPLES.glob("large/*/*.py"):
        found.append(".".join(path.relative_to(EXAMPLES.parent).with_suffix("").parts))
    return (name for name in found if not name.endswith("__main__") and name not in SCRIPTS)


def own(name: str) -> Iterator[Program]:
    """The programs that a module defines."""
    for value in vars(importlib.import_module(name)).values():
        if isinstance(value, Program) and value.function.__module__ == name:
            yield value


def test_nothing_is_shipped_that_is_not_measured() -> None:
    measured = {id(one.program) for one in programs()}
    others = [
        f"{name} {one.name}" for name in modules() for one in own(name) if id(one) not in measured
    ]
    assert others == []


def test_what_is_shipped_are_the_programs_of_powers_benches_and_examples() -> None:
    names = {str(one) for one in programs()}
    assert len(names) == len(programs())
    assert {
        "node.programs.lifecycle on_exec",
        "node.programs.tasks processes",
        "flows.programs.drops on_drop",
        "trace.programs.oom on_victim",
        "kernel.dispatch.programs.gates sys_enter_gate",
        "bench.programs count_getpid",
        "examples/01_hello.py on_exec",
        "examples/large/datapath from_pod",
    } <= names
    places = {name.split()[0] for name in names}
    assert {f"examples/{path.name}" for path in EXAMPLES.glob("[0-9]*.py")} <= places
    assert {f"examples/large/{path.name}" for path in EXAMPLES.glob("large/[a-z]*")} <= places


@pytest.mark.parametrize("one", programs(), ids=str)
def test_every_program_has_a_twin(one: shipped.Shipped) -> None:
    text = one.twin.read_text()
    name = re.escape(one.program.name)
    assert re.search(
        rf"^SEC\(\"[^\"]+\"\)\nint (?:BPF_[A-Z]+\({name}\b|{name}\()", text, re.MULTILINE
    )


@pytest.mark.parametrize("one", programs(), ids=str)
def test_a_test_compares_every_program_with_its_twin(one: shipped.Shipped) -> None:
    place, name = one.place.replace("/", "[/.]"), rf"\b{one.program.name}\b"
    parts = (part for path in COMPARING for part in path.read_text().split("\n\n\n"))
    found = any(re.search(place, part) and re.search(name, part) for part in parts)
    assert found is (str(one) not in UNCOMPARED)
