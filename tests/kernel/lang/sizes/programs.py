"""Programs that ask how types lie in memory."""

import skep
from skep import Array, Struct, be16, u8, u32, u64
from tests.kernel.lang.both import Given


class Inner(Struct):
    """A part."""

    first: u8
    second: u32


class Outer(Struct):
    """A whole."""

    port: be16
    inner: Inner
    list: u64[3]


TASK = skep.kernel_struct("task_struct")
told = Array(u64, 8)


@skep.xdp
def own_types(ctx):
    """Of a program's own types, and of memory of those."""
    v = ctx.view(Given)
    if v is None or skep.sizeof(v.data) != 44 or skep.sizeof(u32[3]) != 12:
        return 1
    return skep.sizeof(Outer) * 10_000 + skep.offsetof(Outer, "inner.second") * 100 + skep.sizeof(v)


@skep.xdp
def a_kernels_type(ctx):
    """Of one struct."""
    return skep.sizeof(TASK)


@skep.raw_tp("sys_enter")
def kernel_types(regs, number):
    """Of the kernel's types: read by hand at its offset, a field has what it has by name."""
    task = skep.get_current_task_btf()
    tgid, level = u32[1](), u32[1]()
    skep.probe_read_kernel(tgid, u64(task) + skep.offsetof(TASK, "tgid"))
    skep.probe_read_kernel(level, u64(task) + skep.offsetof(TASK, "se.avg.load_sum"))
    told[0], told[1] = tgid[0], task.tgid
    told[2], told[3] = skep.sizeof(TASK), skep.sizeof(task.comm)
    told[4] = skep.sizeof(task.se)
