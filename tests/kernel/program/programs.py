"""Programs for tests of loading, attaching and running."""

import os

import skep
from skep import Array, Global, Hash, Queue, Record, Ring, Struct, char, s64, u32, u64


class Call(Record):
    """A system call of a process in ``mine``."""

    pid: u32
    number: u64


class Mark(Record):
    """Another record of the same size."""

    value: u64
    more: u64


class Small(Record):
    """The only record of a small ring."""

    n: u64


class Row(Struct):
    """A value with an array."""

    cells: u32[4]


mine = Hash(u32, u32, 8)
calls = Ring(Call, Mark)
small = Ring(Small, size=4096)
entered = Array(u64, 2)
unused = Hash(u32, u32, 8)
rows = Array(Row, 1)
GETPPID = 110 if os.uname().machine == "x86_64" else 173


@skep.tp_btf("sys_enter")
def on_call(regs, number):
    pid = u32(skep.get_current_pid_tgid() >> 32)
    if number != GETPPID or pid not in mine:
        return
    call = calls.reserve(Call)
    if call is not None:
        call.pid = pid
        call.number = u64(number)
        call.submit()
    mark = calls.reserve(Mark)
    if mark is not None:
        mark.value = 7
        mark.submit()


@skep.tp_btf("sys_enter")
def floods(regs, number):
    if number != GETPPID or u32(skep.get_current_pid_tgid() >> 32) not in mine:
        return
    for i in range(200):
        e = small.reserve()
        if e is not None:
            e.n = i
            e.submit()


def counts_entry(regs, number):
    """One function on two hooks."""
    if u32(skep.get_current_pid_tgid() >> 32) in mine and s64(number) == GETPPID:
        entered.increment(0)


on_enter = skep.tp_btf("sys_enter")(counts_entry)
on_raw = skep.raw_tp("sys_enter")(counts_entry)
names = skep.char[16]


@skep.iterator("task")
def tasks(ctx):
    task = ctx.task
    meta = ctx.meta
    if task is None or meta is None:
        return 0
    line = char[16]()
    line[0] = 10
    skep.seq_write(meta.seq, line, 1)
    return 0


@skep.xdp
def refused_by_the_verifier(ctx):
    row = rows.lookup(0)
    if row is None:
        return 1
    index = ctx.ingress_ifindex
    if index > 4:  # one too many
        return 1
    return 2 if row.cells[index] else 3


@skep.xdp
def drops(ctx):
    entered.increment(1)
    return 1


class Settings(Struct):
    """Variables of a program that runs several times."""

    limit: u32
    hits: u32


settings = Global(Settings)
todo = Queue(u64, 8)


@skep.xdp
def tallies(ctx):
    settings.hits += 1
    mine.increment(1)
    mine.increment(4)
    del mine[2]
    first = mine.lookup(1)
    todo.push(settings.hits)
    e = small.reserve()
    if e is None or first is None:
        if e is not None:
            e.discard()
        return 1
    e.n = first
    e.submit()
    return 2


@skep.tc("ingress")
def marks(ctx):
    """Tells the priority, and changes two fields."""
    ctx.mark = 7
    ctx.cb[4] += 1
    return ctx.priority


@skep.xdp
def counts_up(ctx):
    """Adds to the metadata."""
    told = ctx.metadata(u32)
    if told is None:
        return 1
    told += 1
    return 2
