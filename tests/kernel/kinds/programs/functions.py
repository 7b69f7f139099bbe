"""Programs on functions of the kernel and on LSM hooks; each acts for the processes in ``mine`` only."""

import skep
from skep import Array, Hash, Record, Ring, Struct, char, s32, s64, u8, u32, u64
from tests.kernel.kinds.programs.renamed import UNLINK, each


class Seen(Record):
    """A call: where, the arguments, the result."""

    number: u64
    result: s64
    name: char[96]


mine = Hash(u32, u32, 8)
counts = Array(u64, 8)
calls = Ring(Seen)
EPERM = 1


@skep.inline
def is_mine():
    """Whether the process that calls is a test's own."""
    return u32(skep.get_current_pid_tgid() >> 32) in mine


@each(skep.fentry, UNLINK)
def on_unlink(dfd, name):
    if not is_mine():
        return
    e = calls.reserve()
    if e is not None:
        e.number = u64(s64(dfd))
        skep.probe_read_kernel_str(e.name, name.name)
        e.submit()


@each(skep.fexit, UNLINK)
def after_unlink(dfd, name, result):
    if is_mine():
        e = calls.reserve()
        if e is not None:
            e.number = 7
            e.result = result
            e.submit()


@each(skep.fexit, UNLINK)
def after_unlink_alone(result):
    if is_mine() and result == 0:
        counts.increment(0)


@skep.fmod_ret("security_inode_mkdir")
def refuses_mkdir(directory, dentry, mode, result):
    if result == 0 and is_mine():
        return -EPERM
    return result


@skep.lsm("inode_mkdir")
def guards_mkdir(directory, dentry, mode, result):
    if result == 0 and is_mine():
        return -EPERM
    return result


@skep.lsm("file_open")
def names_files(file):
    """The path of what is opened, whole."""
    if not is_mine():
        return 0
    e = calls.reserve()
    if e is not None:
        e.result = skep.d_path(file.f_path, e.name)
        e.submit()
    return 0


@skep.lsm("file_open", sleepable=True)
def reads_user_memory(file):
    """A sleepable program waits for memory of the process: here, its stack."""
    if not is_mine():
        return 0
    word = u64[1]()
    registers = skep.task_pt_regs(skep.get_current_task_btf())
    if skep.copy_from_user(word, registers.sp) == 0:
        counts.increment(1)
    return 0


@skep.lsm("socket_bind", cgroup=True)
def refuses_bind(sock, address, length):
    counts.increment(2)
    return 0


@skep.inline
def waited_for(slot: u32):
    """Whether memory of the process was read, which a program may have to wait for; counted."""
    word = u64[1]()
    registers = skep.task_pt_regs(skep.get_current_task_btf())
    if is_mine() and skep.copy_from_user(word, registers.sp) == 0:
        counts.increment(slot)


@skep.fentry("bpf_fentry_test1", sleepable=True)
def waits_at_the_begin(number):
    """The kernel calls this function in test runs of such programs; few others let programs wait."""
    waited_for(3)


@skep.fexit("bpf_fentry_test1", sleepable=True)
def waits_at_the_end(number, result):
    if result == number + 1:
        waited_for(4)


@skep.fmod_ret("bpf_fentry_test1", sleepable=True)
def waits_and_decides(number, result):
    waited_for(5)
    return 9


@each(skep.fentry, UNLINK, sleepable=True)
def waits_where_none_may(dfd, name):
    waited_for(3)


@skep.fentry("veth:veth_xmit")
def on_veth(skb, dev):
    """A function of a module, with types of the kernel."""
    if skb.len == 1234:
        counts.increment(6)


@skep.fexit("veth:veth_get_stats64")
def after_veth(dev, total):
    """The number of a device that was asked for its statistics."""
    counts[7] = dev.ifindex


@skep.xdp
def passes(ctx):
    return 2


@skep.fentry(passes)
def sees_it_begin(packet):
    if u64(packet.data_end) - u64(packet.data) == 68:
        counts.increment(3)


@skep.fexit(passes)
def sees_it_end(packet, result):
    if result == 2 and u64(packet.data_end) - u64(packet.data) == 68:
        counts.increment(4)


class Limits(Struct):
    """What a function is given."""

    length: u32
    first: u8
    asked: u8


@skep.global_function
def verdict_of(ctx, length: u32, limits: Limits) -> u32:
    """What others replace; without that, all passes."""
    return 2


@skep.xdp
def asks(ctx):
    limits = Limits(length=64, first=7)
    verdict = verdict_of(ctx, len(ctx), limits)
    return s32(verdict) if limits.asked == 0 else 100 + s32(verdict)


@skep.freplace(asks, verdict_of)
def drops_long(ctx, length: u32, limits: Limits) -> u32:
    """By its arguments, the packet, and what it leaves in memory of the caller."""
    first = ctx.view(u8)
    if first is None:
        return 0
    counts.increment(5)
    limits.asked = 1
    if first == limits.first:
        return 3
    return 1 if length > limits.length else 2


@skep.freplace(passes)
def drops_instead(ctx):
    if ctx.view(u32, 64) is None:
        return 2
    return 1
