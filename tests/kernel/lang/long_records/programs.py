"""Programs whose records have a tail."""

import skep
from skep import Global, Hash, PerCpuArray, Record, Struct, char, s16, u8, u32, u64
from tests.kernel.lang.both import Given


class Line(Record):
    """What a tail tells, and how long it is."""

    length: u32
    first: u8


class Note(Record):
    """Another one."""

    number: u64


class Said(Struct):
    """What writing gave."""

    past: u64
    at_end: u64


lines = skep.VariableRing(Line, size=1 << 16)
notes = skep.VariableRing(Note, size=1 << 12)
said = Global(Said)
rooms = PerCpuArray(u8[64], 1)
paths = PerCpuArray(char[256], 1)


def fills(line, first):
    """What a function does with a record is done in place."""
    line.first = first


@skep.xdp
def tells(ctx):
    """The first bytes of a packet, as many as its first number says."""
    v = ctx.view(Given)
    room = rooms.lookup(0)
    if v is None or room is None:
        return 1
    room[:44] = v.data
    length = min(v.b, 60)
    e = lines.reserve(length)
    if e is None:
        return 3
    e.length = length
    fills(e, v.data[0])
    e.write(0, room, length)
    if v.c == 5:
        e.discard()
        return 4
    said.past = u64(e.write(length, room, 1))
    said.at_end = u64(e.write(1 << 40, room, 1))
    e.submit()
    return 2


@skep.noinline
def steep(number: u64) -> s16:
    """A number of which LLVM knows that many bits are never set."""
    return s16((number % 5) << 11)


@skep.xdp
def masked(ctx):
    """As many bytes as a mask leaves of what a called function gives, or as a swap gives where that is not nothing."""
    v = ctx.view(Given)
    room = rooms.lookup(0)
    if v is None or room is None:
        return 1
    length: u32 = (u8(steep(v.a) >> 9) & 7) + 1
    room[:44] = v.data
    turned = skep.htonl(v.b)
    e = lines.reserve(64)
    if e is None:
        return 3
    e.write(0, room)
    e.write(8, room, length)
    if turned != 0 and turned <= 32:
        e.write(16, room, turned)
    other = rooms.lookup(u32(steep(v.a)) & 1)
    e.write(48, room, (u32(other[0]) & 7) + 1 if other is not None else 3)
    more = rooms.lookup(u32(steep(v.a)) & 0)
    if more is not None:
        some = (u32(more[1]) & 7) + 1
        e.write(40, room, some)
    e.submit()
    return 2


@skep.xdp
def parts(ctx):
    """A tail that is written piece by piece, in a loop, behind another record that is held."""
    v = ctx.view(Given)
    if v is None:
        return 1
    n = v.d & 15
    note = notes.reserve(0)
    if note is None:
        return 5
    note.number = n
    e = lines.reserve(n * 8)
    if e is None:
        note.discard()
        return 6
    word = u64[1]()
    for i in range(n):
        word[0] = v.a + i
        e.write(i * 8, word)
    note.submit()
    e.submit()
    return 2


@skep.xdp
def many(ctx):
    """A tail that is written in a loop of any length."""
    v = ctx.view(Given)
    if v is None:
        return 1
    rounds = v.b
    e = lines.reserve(rounds)
    if e is None:
        return 3
    byte = u8[1]()
    for i in range(rounds):
        byte[0] = i
        e.write(i, byte)
    e.submit()
    return 2


@skep.xdp
def too_much(ctx):
    """More than a ring has."""
    v = ctx.view(Given)
    if v is None:
        return 1
    e = notes.reserve(v.a)
    if e is None:
        return 3
    e.submit()
    return 2


watched = Hash(u32, u8, 8)


@skep.tp_btf("sched_process_exec")
def execs(task, old_pid, bprm):
    """The path of what a process runs, as long as it is."""
    path = paths.lookup(0)
    if path is None or task.real_parent.tgid not in watched:
        return
    length = skep.probe_read_kernel_str(path, bprm.filename)
    if length < 1 or length > 256:
        return
    e = lines.reserve(length)
    if e is None:
        return
    e.length = u32(length)
    e.write(0, path, length)
    e.submit()
