"""The gates of system calls let pass to what is behind them the same calls as their twins do."""

import ctypes  # noqa: TID251 - add_key(2), which nobody else calls
import os
import struct
from contextlib import ExitStack

import pytest

import skep
from bench import shipped
from bench.sides import loaded
from skep.kernel import commands
from skep.kernel.bpf import DOOR
from skep.kernel.commands import Command
from skep.kernel.dispatch.programs import gates
from skep.kernel.links import attach
from skep.lang.programs import Program
from skep.lang.syscall_numbers import NUMBERS
from skep.program.live import Live
from skep.program.machine import Machine
from tests.kernel.bench.conftest import Loads, Objects
from tests.kernel.bench.libbpf import Libbpf

pytestmark = pytest.mark.native("clang's objects are made for the kernel of this machine")

LIBC = ctypes.CDLL(None, use_errno=True)
WANTED, TIMES, CALLS = NUMBERS["add_key"], 5, 20_000
entered = skep.PerCpuArray(skep.u64, 512)
left = skep.PerCpuArray(skep.u64, 512)


@skep.tp_btf("sys_enter")
def on_enter(regs, number):  # type: ignore[no-untyped-def]
    """Counts calls by number, behind the gate of entries."""
    entered.increment(skep.u32(number) & 511)


@skep.tp_btf("sys_exit")
def on_exit(regs, result):  # type: ignore[no-untyped-def]
    """Counts calls by number, behind the gate of exits."""
    left.increment(skep.u32(regs.orig_ax) & 511)


GATES = {
    "sys_enter_gate": (gates.ENTER, gates.entries, "next", on_enter, entered),
    "sys_exit_gate": (gates.EXIT, gates.exits, "next_exit", on_exit, left),
}


def behind(stack: ExitStack, array: int, following: Program, machine: Machine) -> Live:
    """Loads a program and puts it into a gate's array."""
    live: Live = stack.enter_context(skep.load(following, machine=machine, attach=False))
    value = struct.pack("<I", live.programs[following.name].fd)
    commands.map_element(DOOR, Command.MAP_UPDATE, array, bytes(4), value)
    return live


@pytest.mark.parametrize("name", ["sys_enter_gate", "sys_exit_gate"])
def test_a_gate_lets_pass_what_is_wanted(
    name: str,
    objects: Objects,
    libbpf: Libbpf,
    machine: Machine,
    every: dict[str, shipped.Shipped],
) -> None:
    gate, bits, array, following, counts = GATES[name]
    data = objects(every[f"kernel.dispatch.programs.gates {name}"].twin)
    with ExitStack() as stack:
        ours, theirs, made = stack.enter_context(loaded([gate], data, libbpf, machine))
        jumps = made.descriptor("map", array)
        stack.callback(os.close, jumps)
        first = ours.programs[name].next
        assert first is not None
        seen = [behind(stack, fd, following, machine) for fd in (first.fd, jumps)]
        for side in (ours, theirs):
            side[bits].bits[WANTED // 64] = 1 << WANTED % 64
        hooks = [attach(side.programs[name]) for side in (ours, theirs)]
        for hook in hooks:
            stack.callback(hook.close)
        for _ in range(TIMES):
            LIBC.syscall(WANTED, 0, 0, 0, 0, 0)
        for hook in hooks:
            hook.close()
        found = [{at: sum(one) for at, one in side[counts].items() if sum(one)} for side in seen]
    assert found == [{WANTED: TIMES}] * 2


def test_counts_of_getpid(both: Loads) -> None:
    """Others call it too."""
    loaded = both("bench.programs", "count_getpid")
    loaded.attach("count_getpid")
    for _ in range(CALLS):
        os.getpid()
    loaded.detach()
    ours, theirs = (sum(side[0]) for side in loaded.maps("counts"))
    assert ours == pytest.approx(theirs, rel=0.05)
    assert ours >= CALLS
