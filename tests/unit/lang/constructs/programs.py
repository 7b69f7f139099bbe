"""Programs that compile, of the larger constructs; ``programs`` beside this folder has the others."""

import skep
from skep import s32, u8, u16, u32, u64
from tests.unit.lang.prelude import (
    CHOICES,
    FLAGS,
    STATE,
    Address,
    Color,
    Eth,
    Flags,
    Pair,
    Wide,
    counts,
    pairs,
    per_cpu,
    ring,
    task_from_pid,
    task_release,
    tell,
)

NAME = "sh"


def two(n: u32):
    """Two numbers."""
    if n > 5:
        return n, u8(0)
    return n * 2, u8(1)


def counted(table, key):
    """In any map."""
    table.increment(key)
    return table.lookup(key)


@skep.xdp
def loops(ctx):
    """Loops of all kinds, with all ways out."""
    n = ctx.ingress_ifindex
    total: u64 = 0
    box = Pair(1, 2)
    for i in range(n):
        for j in range(i, 0, -2):
            total += j
            box.first += 1
            if total > 1000:
                return 1
        e = ring.reserve()
        if e is None:
            break
        e.pid = i
        e.submit()
    while n != 1:
        n = n * 3 + 1 if n & 1 else n >> 1
        if box.first == 9:
            continue
    i = 0
    while True:
        i += 1
        if i > n:
            break
    return s32(total & 3)


@skep.tp_btf("sched_process_exec")
def choices(task, old_pid):
    """match."""
    kind = 0
    match task.tgid:
        case 1 | 2:
            kind = Color.RED
        case 3 if old_pid > 4:
            return 5
        case Color.GREEN:
            pass
        case other:
            kind = other
    match old_pid & 7:
        case 0:
            return kind
        case n if n > 3:
            kind += n
        case _:
            kind = 9
    return kind


@skep.tp_btf("sched_process_exec")
def several(task, old_pid):
    """Several values."""
    a, b = two(u32(task.tgid))
    c, d = 1, u64(task.start_time)
    a, c = c, a
    STATE.inner.first, STATE.inner.second = STATE.inner.second, STATE.inner.first
    x, y, z = CHOICES
    return s32(a + b + c + u32(d)) + x + y + z


@skep.tp_btf("sched_process_exec")
def texts(task):
    """Arrays of bytes and text."""
    raw = u8[12]()
    raw[2:6] = STATE.bytes[1:5]
    raw[:2] = b"ab"
    STATE.name = NAME
    value = Wide(name="text", bytes=raw[4:12])
    n = raw.find(b"a") + STATE.name.find("h") + (task.comm == NAME)
    if task.comm.startswith("ba") or STATE.name.endswith("h") or b"\0" in raw:
        pairs[Pair(1)] = value
    if STATE.name == task.comm and raw[1:3] != b"xx" and raw[1:5] == raw[5:9]:
        return n
    return raw[n & 7]


@skep.xdp
def layouts(ctx):
    """Bit fields and unions."""
    flags = Flags(low=3, signed=-2)
    flags.high += ctx.ingress_ifindex
    FLAGS.wide = flags.signed
    address = Address(v4=ctx.rx_queue_index)
    address.v6[3] = flags.low
    return s32(address.v4 + FLAGS.wide)


@skep.xdp
def moves_by_what_it_says(ctx):
    """A packet is moved by a number in it, and looked at again in the same condition."""
    eth = ctx.view(Eth)
    if eth is None:
        return 1
    if skep.xdp_adjust_head(eth.proto & 4) != 0 or ctx.view(u8) is None:
        return 0
    return 2


@skep.tp_btf("sched_process_exec")
def named(task):
    """Fields whose names are words of Python's, and those that may be missing."""
    counts[1] = getattr(task.files, "in")
    counts[2] = getattr(task, "tgid", 5) + getattr(task, "nothing", 5)


@skep.xdp
def generics(ctx):
    """Functions made for what they are given."""
    one, two_ = counted(counts, 1), counted(per_cpu, 2)
    eth = ctx.view(Eth)
    if one is None or two_ is None or eth is None:
        return 1
    one += two_
    return u16(eth.proto) & 1


@skep.tp_btf("sched_process_exec")
def kernel_functions(task):
    """Functions of the kernel, and prints."""
    parent = task_from_pid(task.tgid)
    if parent is None:
        return
    print(f"{parent.tgid} {task.comm} {task.start_time:#x}", len(STATE.bytes), 5)  # noqa: T201
    task_release(parent)
    tell(STATE.bytes, None)
