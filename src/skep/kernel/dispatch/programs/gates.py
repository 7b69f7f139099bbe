"""The programs at the hooks that all system calls share: they let pass what somebody wants.

A call that nobody wants costs a look into a bitmap. Numbers of the x32 ABI lie outside of it; a call of a 32-bit
program has a number of another table and is stopped, as the kernel's own tracepoints of calls do. x86-64 only.
"""

from skep.lang.chains import Chain
from skep.lang.decorators.tracing import tp_btf
from skep.lang.helpers import HELPERS
from skep.lang.kinds import KINDS
from skep.lang.maps import Global, PerCpuArray
from skep.lang.programs import Program, inline
from skep.lang.struct import Struct
from skep.lang.syscall_numbers import LIMIT
from skep.lang.types import u64

STOP, GO_ON = 0, 1
COMPAT = 2  # TS_COMPAT of thread_info.status: this call came in by the 32-bit table

get_current_task_btf = HELPERS["get_current_task_btf"]


class Wanted(Struct):
    """A bit for each number of a call that somebody wants."""

    bits: u64[LIMIT // 64]


entries = Global(Wanted, name="skep_entries")
exits = Global(Wanted, name="skep_exits")
called = PerCpuArray(u64, LIMIT, name="skep_called")


@inline
def native():
    """Whether this call came in by the table of x86-64."""
    return get_current_task_btf().thread_info.status & COMPAT == 0


def sys_enter_gate(regs, number: u64):
    """Go on to the subscribers of entries, where the bitmap has the number."""
    if number < LIMIT and entries.bits[(number >> 6) & 7] >> (number & 63) & 1 != 0 and native():
        return GO_ON
    return STOP


def sys_exit_gate(regs, result):
    """Go on to the subscribers of exits, where the bitmap has the number."""
    number = regs.orig_ax
    if number < LIMIT and exits.bits[(number >> 6) & 7] >> (number & 63) & 1 != 0 and native():
        return GO_ON
    return STOP


ENTER = Program(sys_enter_gate, KINDS["tp_btf"], "sys_enter", chain=Chain(GO_ON))
EXIT = Program(sys_exit_gate, KINDS["tp_btf"], "sys_exit", chain=Chain(GO_ON))


@tp_btf("sys_enter")
def sys_enter_count(regs, number: u64):
    """Count native calls by number, for the planner."""
    if number < LIMIT and native():
        called.increment(number)
