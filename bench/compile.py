"""What compiling costs: a program while the compiler is warm, one that is unchanged, and a hundred from the cache.

Warm: CPU of the front end here and of LLVM in its child, per program, over every program that we ship; the second time
that one child compiles all of them, so that neither its start nor its first compile counts. Unchanged: CPU from a
program to its spec, where the cache has it. A hundred: wall time from the start of a process until the last of a
hundred programs of its file is attached, all from the cache; the bare interpreter's start and end stand beside it.
"""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.figures import Figure
from bench.shipped import programs
from skep.base.errors import CompileError
from skep.lang.backend import Backend, IrModule
from skep.lang.compile import ir
from skep.lang.programs import Program
from skep.program.machine import Machine
from skep.program.objects import compiled

MS = 1000.0


def _compilable(machine: Machine) -> list[Program]:
    """The shipped programs that this kernel has types for."""
    found = []
    for one in programs():
        try:
            ir(one.program, machine.target)
        except CompileError:
            continue
        found.append(one.program)
    return found


def _child_seconds(modules: Sequence[IrModule]) -> float:
    """CPU of a child that compiles the modules, its start included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with Backend() as backend:
        backend.emit(modules)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def warm(wanted: Sequence[Program], machine: Machine) -> float:
    """Milliseconds of CPU of a program."""
    start = time.process_time()
    modules = [ir(one, machine.target) for one in wanted]
    front = time.process_time() - start
    llvm = _child_seconds([*modules, *modules]) - _child_seconds(modules)
    return (front + llvm) / len(wanted) * MS


def unchanged(wanted: Sequence[Program], machine: Machine) -> float:
    """Milliseconds of CPU of a program that the cache has."""
    start = time.process_time()
    compiled(wanted, machine)
    return (time.process_time() - start) / len(wanted) * MS


def hundred() -> float:
    """Seconds until a hundred programs are attached."""
    start = time.monotonic()
    command = [sys.executable, "-m", "bench._hundred"]
    folder = Path(__file__).parent.parent
    done = subprocess.run(command, check=True, capture_output=True, cwd=folder)
    return float(done.stdout) - start


def _bare() -> float:
    start = time.monotonic()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.monotonic() - start


def measure(quick: bool) -> dict[str, Figure]:  # noqa: FBT001 - the harness's form
    """The three figures, by interleaved rounds."""
    rounds = 5 if quick else 11
    with tempfile.TemporaryDirectory(prefix="skep-bench-") as folder:
        Path(folder).chmod(0o700)
        machine = Machine(folder)
        wanted = _compilable(machine)
        compiled(wanted, machine)
        hundred()
        found: dict[str, list[float]] = {"warm": [], "unchanged": [], "hundred": [], "bare": []}
        for _ in range(rounds):
            found["warm"].append(warm(wanted, machine))
            found["unchanged"].append(unchanged(wanted, machine))
            found["hundred"].append(hundred())
            found["bare"].append(_bare())
    print(f"{len(wanted)} programs, {rounds} rounds")
    median = {name: statistics.median(values) for name, values in found.items()}
    return {
        "compile.warm_ms": Figure(median["warm"], "ms", "limit", 20),
        "compile.unchanged_ms": Figure(median["unchanged"], "ms", "limit", 3),
        "compile.hundred_cached_s": Figure(
            median["hundred"], "s", "python -c pass", median["bare"]
        ),
    }
