"""The size and speed of our compiler's code beside clang's: every program that we ship, and its twin in C.

Instructions are slots of 8 bytes as loaded, subprograms included, for cpu v3 on both sides and without unrolled loops.
The twins (``twins/*.c``) are C for libbpf as its users write it, compiled by clang-19 -O2; a test asserts that they do
what ours do. What the running kernel has no types for is measured on those of Debian 12's, or named and left out.
"""

import os
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bench import clang, runs
from bench import debian as peers
from bench.clang import CPU, PEER, Clang
from bench.figures import Figure
from bench.runs import Effort
from bench.shipped import Shipped, programs
from skep.base.errors import CompileError
from skep.btf.reader import Btf
from skep.lang.compile import compile_all, ir
from skep.lang.front.scope import Target
from skep.lang.kernel_types import KernelTypes
from skep.program.machine import Machine
from tests.kernel.bench.libbpf import Libbpf
from tools import debian, kernels

OLDER = "6.1"


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel that is compiled for, by both; ``name`` is "" for the running one."""

    name: str
    target: Target
    peer: Clang


@dataclass(frozen=True, slots=True)
class Row:
    """A program's slots: ours, and clang's."""

    name: str
    ours: int
    peer: int

    @property
    def ratio(self) -> float:
        """Ours by clang's."""
        return self.ours / self.peer


def target(machine: Machine) -> Target:
    """The running kernel, with the instructions that clang may use too."""
    return Target(machine.target.types, CPU, machine.formats)


def compilable(wanted: Iterable[Shipped], to: Target) -> list[Shipped]:
    """Those that a kernel has the types and hooks for."""
    return [one for one in wanted if _compiles(one, to)]


def _compiles(one: Shipped, to: Target) -> bool:
    try:
        ir(one.program, to)
    except CompileError:
        return False
    return True


def measured(wanted: Sequence[Shipped], kernel: Kernel) -> list[Row]:
    """Both sides' slots of each program."""
    made = compile_all([one.program for one in wanted], kernel.target)
    sizes = {path: clang.sizes(kernel.peer.object(path)) for path in {one.twin for one in wanted}}
    return [
        Row(f"{one}{kernel.name}", len(linked.insns) // 8, sizes[one.twin][one.program.name])
        for one, linked in zip(wanted, made, strict=True)
    ]


def rows(wanted: Sequence[Shipped], on: Iterable[Kernel]) -> list[Row]:
    """A row for each program, on the first kernel that it is for."""
    found: list[Row] = []
    left = list(wanted)
    for kernel in on:
        fit = compilable(left, kernel.target)
        found += measured(fit, kernel)
        left = [one for one in left if one not in fit]
        if not left:
            break
    for one in left:
        print(f"left out, for it is for other kernels: {one}")
    return found


def both_kernels(peer: Clang) -> Iterator[Kernel]:
    """The running kernel, then an older one, as far as it can be had."""
    yield Kernel("", target(Machine()), peer)
    try:
        older = kernels.kernel(OLDER)
    except debian.Unavailable as reason:
        print(f"no types of Linux {OLDER}: {reason}")
        return
    types = KernelTypes(Btf(older.btf.read_bytes()))
    second = clang.clang(older.btf, older.build_id)
    if second is not None:
        yield Kernel(f" (Linux {OLDER})", Target(types, CPU, lambda *_: None), second)


def table(found: Sequence[Row]) -> str:
    """A line a program."""
    width = max(len(row.name) for row in found)
    head = f"{'program':{width}}  ours  clang  ratio"
    lines = [f"{r.name:{width}} {r.ours:5} {r.peer:6} {r.ratio:6.2f}" for r in found]
    return "\n".join([head, *lines])


def median_ns(wanted: Sequence[Shipped], peer: Clang, libbpf: Libbpf, effort: Effort) -> float:
    """The median ratio of the programs that the kernel runs on request; prints all."""
    run = [one for one in wanted if runs.runnable(one.program.kind)]
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    found = [runs.timed(one, peer.object(one.twin), libbpf, effort) for one in run]
    print(runs.table(found))
    print(runs.left([one for one in wanted if one not in run]))
    return statistics.median(row.ratio for row in found)


def measure(quick: bool) -> dict[str, Figure]:  # noqa: FBT001 - the harness's form
    """All three figures; none without clang and libbpf."""
    peer, library = clang.clang(), peers.library("libbpf", "libbpf.so.1")
    if peer is None or library is None:
        return {}
    wanted = programs()
    found = rows(wanted, both_kernels(peer))
    print(table(found))
    ratios = [row.ratio for row in found]
    ns = median_ns(wanted, peer, Libbpf(library), runs.QUICK if quick else runs.WHOLE)
    return {
        "codegen.insns_median": Figure(statistics.median(ratios), "ratio", PEER, 1.0),
        "codegen.insns_worst": Figure(max(ratios), "ratio", PEER, 1.0),
        "codegen.ns_median": Figure(ns, "ratio", PEER, 1.0),
    }
