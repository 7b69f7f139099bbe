"""Every program that we ship, with its twin in C: those of the powers, of the benches and of the examples.

The twin of a module's programs is ``twins/STEM.c`` with a function of each program's name. Nothing is compiled here.
"""

import importlib
import runpy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.clang import TWINS
from skep.lang.programs import Program
from skep.testing.precompile import shipped

EXAMPLES = Path(__file__).parent.parent / "examples"
BENCHES = ("bench.programs", "bench._peer_programs", "bench._drain_fill")
LARGE = {
    "examples/large/datapath": "examples.large.datapath.pod",
    "examples/large/matcher": "examples.large.matcher.program",
    "examples/large/unwinder": "examples.large.unwinder.program",
}
"""The large programs, by the place that names them; the twin of ``examples/large/NAME`` is ``large_NAME.c``."""


@dataclass(frozen=True, slots=True)
class Shipped:
    """A program, the module or file that has it, and the file of its twin."""

    place: str
    program: Program
    twin: Path

    def __str__(self) -> str:
        return f"{self.place} {self.program.name}"


def programs() -> list[Shipped]:
    """All of them, each once."""
    modules = [*shipped(), *(importlib.import_module(name) for name in BENCHES)]
    found = [one for module in modules for one in _of(module.__name__, vars(module))]
    for path in sorted(EXAMPLES.glob("[0-9]*.py")):
        found += _of(f"examples/{path.name}", runpy.run_path(str(path), run_name=path.stem))
    for place, module in LARGE.items():
        stem = f"large_{Path(place).name}"
        found += _of(place, vars(importlib.import_module(module)), stem)
    return found


def _of(place: str, names: dict[str, Any], stem: str = "") -> Iterator[Shipped]:
    stem = stem or (Path(place).stem if "/" in place else place.rpartition(".")[2])
    for value in names.values():
        own = isinstance(value, Program) and value.function.__module__ == names["__name__"]
        if own:
            yield Shipped(place.removeprefix("skep."), value, TWINS / f"{stem}.c")
