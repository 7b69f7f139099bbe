"""Programs that only benches load; their parameters are typed by the kernel's BTF and formats."""

import skep

GETPID, ADD_KEY = 39, 248

counts = skep.PerCpuArray(skep.u64, 1)
others = skep.PerCpuArray(skep.u64, 1)


@skep.raw_tp("sys_enter")
def count_getpid(regs, number):
    """Count calls of getpid, at the hook that all system calls share."""
    if number != GETPID:
        return
    slot = counts.lookup(0)
    if slot is not None:
        slot += 1


@skep.tracepoint("syscalls/sys_enter_add_key")
def count_other(ctx):
    """Count a call that nobody makes, at its own tracepoint."""
    slot = others.lookup(0)
    if slot is not None:
        slot += 1


@skep.raw_tp("sys_enter")
def count_other_raw(regs, number):
    """Count a call that nobody makes, at the hook that all system calls share."""
    if number != ADD_KEY:
        return
    slot = others.lookup(0)
    if slot is not None:
        slot += 1
