"""Programs for kernels that differ: what one lacks is None, or left out."""

import skep
from skep import Global, Struct, s32, s64, u32, u64

COUNTER, NONE_SUCH = skep.kernel_struct("atomic64_t"), skep.kernel_struct("none_such")
SIGNAL = skep.kernel_struct("signal_struct")
NUMBERS, TYPES = skep.kernel_enum(TCP_LISTEN=10), skep.kernel_enum("bpf_prog_type", none_such=1)
MISSING = skep.kernel_enum("none_such")
absent = skep.kfunc("bpf_none_such")


class Told(Struct):
    """What a program was told."""

    calls: u64
    given: u32
    more: s32
    own: s64
    seen: s64


told = Global(Told)


@skep.raw_tp("sched_process_exit")
def takes_what_there_is(task, more=None, other=None, third=None):
    """No kernel gives the last."""
    told.calls += 1
    if more is not None:
        told.given |= 1
    if third is not None and third.pid > 0:
        told.given |= 4
    told.more = third if third is not None else -7
    if third:
        told.given |= 8


@skep.xdp
def has_numbers(ctx):
    """Enumerations with and without a name, and what is not there."""
    if absent or NONE_SUCH or MISSING or not TYPES:  # type: ignore[truthy-bool]
        return 1
    if MISSING is not None or hasattr(NUMBERS, "NONE_SUCH") or not hasattr(NUMBERS, "TCP_LISTEN"):
        return 1
    if hasattr(TYPES, "none_such"):
        return 1
    return NUMBERS.TCP_LISTEN * 2 if not absent else absent(5)


@skep.raw_tp("sys_enter")
def by_a_name_of_c(regs, number):
    """A struct that only a typedef names, put upon how many files this process may open."""
    limits = skep.get_current_task_btf().signal
    told.own = s64(limits.rlim[7].rlim_cur)
    told.seen = COUNTER(u64(limits) + skep.offsetof(SIGNAL, "rlim") + 7 * 16).counter
