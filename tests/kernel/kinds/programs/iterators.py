"""Iterators: over all objects, and over those of one map, cgroup or process."""

import skep
from skep import Array, Hash, SocketStorage, SockMap, Struct, u32, u64

counts = Array(u64, 4)
numbers = Hash(u32, u64, 16)
values = SocketStorage(u64)
sockets = SockMap(4)


class Line(Struct):
    """What an iterator writes for an object."""

    first: u64
    second: u64


@skep.iterator("task")
def threads(ctx):
    task = ctx.task
    if task is None:
        return 0
    line = Line(task.tgid, task.pid)
    skep.seq_write(ctx.meta.seq, line)
    return 0


@skep.iterator("task_file")
def files(ctx):
    task = ctx.task
    meta = ctx.meta
    if task is None or ctx.file is None or meta is None:
        return 0
    line = Line(task.tgid, ctx.fd)
    skep.seq_write(meta.seq, line)
    return 0


@skep.iterator("bpf_map_elem")
def entries(ctx):
    meta = ctx.meta
    if meta is None or u64(ctx.key) == 0 or u64(ctx.value) == 0:
        return 0
    key = u32[1]()
    value = u64[1]()
    skep.probe_read_kernel(key, ctx.key)
    skep.probe_read_kernel(value, ctx.value)
    line = Line(key[0], value[0])
    skep.seq_write(meta.seq, line)
    counts.increment(0)
    numbers.increment(1000, 0)
    return 0


@skep.iterator("bpf_sk_storage_map")
def stored(ctx):
    """The value of each socket that has one, and the socket's port."""
    sk, value = ctx.sk, ctx.value
    if sk is None or u64(value) == 0:
        return 0
    number = u64[1]()
    skep.probe_read_kernel(number, value)
    line = Line(number[0], sk.__sk_common.skc_num)
    skep.seq_write(ctx.meta.seq, line)
    return 0


@skep.iterator("sockmap")
def connected(ctx):
    """The key of each socket in the map, and the socket's port."""
    sk = ctx.sk
    if sk is None or u64(ctx.key) == 0:
        return 0
    key = u32[1]()
    skep.probe_read_kernel(key, ctx.key)
    line = Line(key[0], sk.__sk_common.skc_num)
    skep.seq_write(ctx.meta.seq, line)
    return 0


@skep.xdp
def counts_numbers(ctx):
    """Whose map this is; it is attached to nothing."""
    numbers.increment(len(ctx))
    return 2


@skep.sockops
def keeps_sockets(ctx):
    """Whose maps these are; it is attached to nothing."""
    sk = ctx.sk
    if sk is not None:
        values.get(sk, 0)
        sockets.update(ctx, 0)
    return 1


@skep.iterator("cgroup")
def groups(ctx):
    group = ctx.cgroup
    meta = ctx.meta
    if group is None or meta is None:
        return 0
    line = Line(group.kn.id, group.level)
    skep.seq_write(meta.seq, line)
    return 0


@skep.iterator("task", sleepable=True)
def reads_memory(ctx):
    """A sleepable iterator reads the memory of each process, here a word of its stack."""
    task = ctx.task
    meta = ctx.meta
    if task is None or meta is None:
        return 0
    word = u64[1]()
    registers = skep.task_pt_regs(task)
    if skep.copy_from_user_task(word, registers.sp, task, 0) == 0:
        line = Line(task.tgid, word[0])
        skep.seq_write(meta.seq, line)
    return 0


def each(ctx):
    """A program for whatever there is to iterate over."""
    if ctx.meta is not None:
        counts.increment(1)
    return 0
