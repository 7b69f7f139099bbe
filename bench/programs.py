"""Programs that only benches load; their parameters are typed by the kernel's BTF and formats."""

import skep

counts = skep.PerCpuArray(skep.u64, 1)
others = skep.PerCpuArray(skep.u64, 1)


@skep.syscall("getpid")
def count_getpid():
    """Count calls of getpid."""
    slot = counts.lookup(0)
    if slot is not None:
        slot += 1


@skep.syscall("add_key")
def count_other():
    """Count a call that nobody makes."""
    slot = others.lookup(0)
    if slot is not None:
        slot += 1


@skep.tp_btf("sys_enter")
def nothing(regs, number):
    """Do nothing, at the hook that all system calls share."""


@skep.tracepoint("syscalls/sys_enter_getpid")
def nothing_at_getpid(ctx):
    """Do nothing, at getpid's own tracepoint."""


@skep.tracepoint("syscalls/sys_enter_add_key")
def nothing_elsewhere(ctx):
    """Do nothing, at the tracepoint of a call that nobody makes."""
