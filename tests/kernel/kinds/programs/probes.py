"""Programs on functions of binaries and of the kernel, and on static probes, of the processes in ``mine``."""

import skep
from skep import Array, Hash, Record, Ring, Struct, char, s32, s64, u8, u32, u64
from skep.kernel.binaries import Binary
from skep.kernel.libraries import find
from tests.kernel.kinds.programs.renamed import REMOVALS, UNLINK, each


class Seen(Record):
    """A call: a number, a result, a name."""

    number: s64
    result: s64
    cookie: u64
    name: char[64]


mine = Hash(u32, u32, 8)
counts = Array(u64, 16)
calls = Ring(Seen)


@skep.inline
def is_mine():
    """Whether the process that calls is a test's own."""
    return u32(skep.get_current_pid_tgid() >> 32) in mine


# --- functions of binaries


@skep.uprobe("libc", "getservbyname")
def on_lookup(name, protocol):
    """The first argument is text in user memory."""
    if not is_mine():
        return
    e = calls.reserve()
    if e is not None:
        skep.probe_read_user_str(e.name, name)
        e.cookie = skep.get_attach_cookie()
        e.submit()


class Mac(Struct):
    """A struct ether_addr of a process."""

    octets: u8[6]


class Registers(Struct):
    """The beginning of a struct pt_regs, as far as the number of a call."""

    pushed: u64[15]
    number: s64


@skep.uprobe("libc", "ether_ntoa")
def on_mac(mac: Mac):
    if is_mine():
        counts[14] = mac.octets[5]


@skep.tp_btf("sys_enter")
def on_any_call(regs: Registers, number):
    if is_mine() and number == regs.number == 110:
        counts.increment(15)


@skep.uprobe("libc", "abs")
def on_abs(value: s32):
    if is_mine() and value == -77:
        counts.increment(0)


with Binary.open(find("libc")) as libc:
    ABS = libc.place("abs")


@skep.uprobe("libc", offset=ABS)
def at_an_offset(value: s32):
    if is_mine() and value == -77:
        counts.increment(13)


@skep.uretprobe("libc", "abs")
def after_abs(result: s32):
    if is_mine() and result == 77:
        counts.increment(1)


@skep.uprobe()
def anywhere(ctx):
    """Where it is attached."""
    if is_mine() and ctx.ip != 0:
        counts.increment(2)


@skep.uprobe("libc", "abs", sleepable=True)
def waits(ctx):
    """It may wait for the memory of the process."""
    word = u64[1]()
    if is_mine() and skep.copy_from_user(word, ctx.sp) == 0:
        counts.increment(3)


@skep.uprobe_multi("libc", "abs", "lab?", "llabs")
def on_many(value: s64):
    if is_mine():
        counts.increment(4)


@skep.uretprobe_multi("libc", "abs", "labs")
def after_many(result: s64):
    if is_mine() and result == 77:
        counts.increment(5)


@skep.uprobe_session("libc", "abs")
def around(ctx):
    """At the entry and, as it returns 0 there, at the end."""
    if is_mine():
        counts.increment(6)
    return 0


# --- static probes


@skep.usdt("/usr/bin/python3.11", "python:gc__start")
def on_collection(generation):
    """Of Debian's Python; the argument lies on the stack, in memory of the process."""
    if not is_mine():
        return
    e = calls.reserve()
    if e is not None:
        e.number = generation
        e.submit()


@skep.usdt("/usr/bin/python3.11", "python:gc__done")
def after_collection(found: s64):
    """The argument lies in a register."""
    if not is_mine():
        return
    e = calls.reserve()
    if e is not None:
        e.number = -1
        e.result = found
        e.submit()


# --- functions of the kernel


@each(skep.kprobe, UNLINK)
def on_unlink(dfd, name):
    if not is_mine():
        return
    e = calls.reserve()
    if e is not None:
        e.number = dfd
        skep.probe_read_kernel_str(e.name, name.name)
        e.submit()


class Filename(Struct):
    """The beginning of a struct filename."""

    name: u64


@each(skep.kprobe, UNLINK)
def on_unlink_as(dfd: s32, name: Filename):
    """The type that the kernel tells is left for that of the head."""
    if is_mine() and dfd == -100:
        e = calls.reserve()
        if e is not None:
            skep.probe_read_kernel_str(e.name, name.name)
            e.submit()


@each(skep.kretprobe, UNLINK)
def after_unlink(result):
    if not is_mine():
        return
    e = calls.reserve()
    if e is not None:
        e.result = result
        e.submit()


@skep.ksyscall("unlinkat")
def on_call(fd: s32, path, flags: u32):
    """The arguments as the process gives them: a path is text in its memory."""
    if not is_mine():
        return
    e = calls.reserve()
    if e is not None:
        e.number = fd
        e.result = flags
        skep.probe_read_user_str(e.name, path)
        e.submit()


@skep.kretsyscall("unlinkat")
def after_call(result):
    if is_mine() and s32(result) == -2:
        counts.increment(12)


@each(skep.kprobe, UNLINK)
def registers(ctx):
    if is_mine() and ctx.ip != 0 and s32(ctx.di) == -100:
        counts.increment(7)


@each(skep.kprobe, UNLINK, offset=5)
def behind_the_call(ctx):
    """Behind what calls a tracer, the first instruction."""
    if is_mine() and ctx.ip != 0:
        counts.increment(14)


@each(skep.kprobe, UNLINK, offset=9)
def behind_the_mark(ctx):
    """The same of a kernel whose functions begin with a mark for indirect branches."""
    if is_mine() and ctx.ip != 0:
        counts.increment(14)


@skep.kprobe("vfs_unlink_none")
def on_nothing(ctx):
    counts.increment(11)


@skep.kprobe_multi("vfs_rmdir", "vfs_unlinc")
def on_one_that_is_misspelt(ctx):
    counts.increment(11)


@each(skep.kprobe_multi, REMOVALS)
def on_removals(dfd, name):
    """The arguments that both functions share, with their types."""
    if not is_mine():
        return
    e = calls.reserve()
    if e is not None:
        skep.probe_read_kernel_str(e.name, name.name)
        e.cookie = skep.get_attach_cookie()
        e.submit()


@skep.kprobe_multi("vfs_unlin?", "vfs_rmdi?")
def on_patterns(ctx):
    if is_mine():
        counts.increment(8)


@each(skep.kretprobe_multi, REMOVALS)
def after_removals(result):
    if is_mine() and result == 0:
        counts.increment(9)


@each(skep.kprobe_session, UNLINK)
def around_unlink(ctx):
    if is_mine():
        counts.increment(10)
    return 0


# --- memory of the process that calls

places = Hash(u32, u64, 8)
WRITTEN = 0x1234_5678


@skep.tp_btf("sys_enter")
def writes(regs, call):
    """A number, into the memory of a test's own process."""
    place = places.lookup(u32(skep.get_current_pid_tgid() >> 32))
    if place is None:
        return
    number = u64[1]()
    number[0] = WRITTEN
    skep.probe_write_user(place[0], number)
