"""Programs for tests: most run in the kernel and as plain Python."""

import skep
from skep import (
    Array,
    Global,
    Hash,
    Lpm,
    LruHash,
    PerCpuArray,
    PerCpuHash,
    Record,
    Ring,
    Struct,
    be16,
    be32,
    char,
    s8,
    s16,
    s32,
    u8,
    u16,
    u32,
    u64,
)


class Given(Struct):
    """What a program reads at the start of a packet."""

    a: u32
    b: u32
    c: s32
    port: be16
    small: u8
    signed: s8
    big: u64
    name: char[8]


class Pair(Struct):
    """A key, and a part of a value."""

    first: u16
    second: u64


class Value(Struct):
    """A value of a map."""

    count: u64
    small: u8
    port: be16
    address: be32
    name: char[8]
    words: u16[4]
    pairs: Pair[2]  # type: ignore[type-arg, valid-type]


class Prefix(Struct):
    """A key of a map by prefix."""

    bits: u32
    address: u8[4]


class Page(Struct):
    """A value for which one store a word would be too many for LLVM."""

    text: char[3000]
    odd: u8[301]


class Long(Record):
    """An event of more than a page."""

    number: u32
    text: char[5000]


class Note(Record):
    """An event."""

    number: u32
    small: s16
    name: char[8]
    rest: u8[6]


class Alarm(Record, size=48):
    """Another event of the same ring."""

    level: u64


class Total(Struct):
    """What one value holds."""

    hits: u64
    last: u32
    low: s32
    flags: u64


numbers = Hash(u32, u64, 4)
values = Hash(Pair, Value, 8)
recent = LruHash(u32, u32, 2)
by_port = Hash(be16, be32, 8)
prefixes = Lpm(Prefix, u32, 8)
rows = Array(u32[4], 3)
single = Array(u64, 4)
tally = Hash(u32, u64, 4)
own_tally = PerCpuHash(u32, u64, 1)
per_cpu = PerCpuArray(u64, 2)
per_cpu_hash = PerCpuHash(u32, u32, 8)
total = Global(Total)
events = Ring(Note, Alarm, size=4096)


@skep.xdp
def counts(ctx):
    """Numbers in maps: what is missing, what is full, and the errors that updates give."""
    v = ctx.view(Given)
    if v is None:
        return 0
    numbers.increment(v.a)
    numbers.increment(v.a, v.big)
    numbers[v.b] = 0xFFFFFFFFFFFFFFFF
    numbers.increment(v.b, 2)
    missing = numbers.delete(12345)
    exists = numbers.update(v.a, 1, 1)
    absent = numbers.update(777, 1, 2)
    full = 0
    for i in range(100, 106):
        if numbers.update(i, i) < 0:
            full += 1
    if v.b in numbers and 777 not in numbers:
        del numbers[v.b]
    return missing + exists * 100 + absent * 10_000 + full * 1_000_000


@skep.xdp
def structs(ctx):
    """Structs as keys and values; narrow, big-endian and array members; copies."""
    v = ctx.view(Given)
    if v is None:
        return 0
    key = Pair(v.small, second=v.big)
    values[key] = Value(count=v.a, small=v.a, port=v.port, address=v.b, name=v.name)
    found = values.lookup(key)
    if found is None:
        return 1
    found.count += 5
    found.small -= 200
    found.port += 1
    found.address *= 3
    found.words[v.a & 3] = v.b
    found.words[0] |= 0x8000
    found.pairs[1] = key
    found.pairs[1].first += 1
    found.name[7] = 65
    other = Pair(1, 2)
    values[other] = found
    return found.words[v.a & 3] + found.pairs[1].first


@skep.xdp
def big_endian(ctx):
    """Keys and values in network order."""
    v = ctx.view(Given)
    if v is None:
        return 0
    by_port[v.port] = v.b
    by_port[v.port + 1] = 0x01020304
    found = by_port.lookup(v.port)
    if found is None:
        return 1
    found += 1
    other_way = skep.htons(v.port)
    v.port = other_way
    return found


@skep.xdp
def tallies(ctx):
    """What an increment gives: of what is there and what is new, of a full map, behind the end of an array."""
    v = ctx.view(Given)
    if v is None:
        return 0
    left_out = 0
    for i in range(6):
        if tally.increment(v.b + i) < 0:
            left_out += 1
    behind = single.increment(v.b & 7, 2)
    own = own_tally.increment(1)
    v.small = u8(-own_tally.increment(2))
    v.big = u64(-tally.increment(v.b, v.a))
    return left_out * 100 + tally.increment(0xFFFFFFFF) * 10 + behind + own


@skep.xdp
def powers(ctx):
    """Logarithms of numbers of all sizes."""
    v = ctx.view(Given)
    if v is None:
        return 0
    total = skep.log2(v.a) * 64 + skep.log2(0) + skep.log2(1)
    for shift in range(64):
        if skep.log2(v.big >> shift) != skep.log2(v.big) - min(shift, skep.log2(v.big)):
            return 1000 + shift
    return total + skep.log2(v.big)


@skep.xdp
def forgets(ctx):
    """A map that forgets; prefixes; arrays of arrays; a value of each CPU."""
    v = ctx.view(Given)
    if v is None:
        return 0
    row = rows.lookup(v.a & 3)
    if row is None:
        return 1
    for i in range(len(row)):
        row[i] += i * v.a
    single[1] = v.big
    single.increment(1, 3)
    single.increment(2)
    per_cpu.increment(1, v.a)
    per_cpu_hash.increment(v.a, 7)
    per_cpu_hash.increment(v.a, 7)
    prefix = Prefix(32)
    prefix.address[0] = 10
    prefix.address[3] = v.small
    found = prefixes.lookup(prefix)
    return single.delete(1) if found is None else s32(found)


@skep.xdp
def records(ctx):
    """Two kinds of records in a ring that gets full."""
    v = ctx.view(Given)
    if v is None:
        return 0
    lost = 0
    for i in range(60):
        if i % 3 == 2:
            alarm = events.reserve(Alarm)
            if alarm is None:
                lost += 1
                continue
            if i > 40:
                alarm.discard()
                continue
            alarm.level = v.big + i
            alarm.submit()
        else:
            note = events.reserve(Note)
            if note is None:
                lost += 1
                continue
            note.number = i - 5
            note.small = v.a
            if i & 1:
                note.name = v.name
            note.submit()
    return lost


@skep.xdp
def globally(ctx):
    """One value of a program, and atomic operations on it."""
    v = ctx.view(Given)
    if v is None:
        return 0
    total.hits += 1
    total.last = v.b
    total.low -= v.c
    before = skep.atomic_add(total.hits, v.a)
    skep.atomic_or(total.flags, 0x0F)
    skep.atomic_xor(total.flags, 3)
    skep.atomic_and(total.flags, v.big | 8)
    old = skep.atomic_xchg(total.last, 9)
    seen = skep.atomic_cmpxchg(total.hits, before + v.a, 100)
    count = numbers.lookup(1)
    if count is None:
        numbers[1] = seen
    else:
        skep.atomic_add(count, old)
    return s32(old) + s32(before)


@skep.xdp
def once(ctx):
    """What a chain compares, or asks for membership, is worked out once."""
    v = ctx.view(Given)
    if v is None:
        return 0
    right = 0
    if 0 < skep.atomic_add(total.hits, 1) + v.a < 1000 < skep.atomic_add(total.flags, 1) + 2000:
        right += 1
    if skep.atomic_add(total.hits, 1) in (7, 8, 1, 9):
        right += 2
    if skep.atomic_add(total.flags, 5) in range(1, 3):
        right += 4
    return right


def folded(value: u64, times: u8):
    """A function with a loop, narrow arguments and a result that wraps around."""
    sum_: u16 = 0
    for i in range(times):
        sum_ += u16(value >> (i * 8))
        sum_ = sum_ * 31 + i
    return sum_


@skep.noinline
def negative(value: s8):
    """A narrow signed argument, in a call of its own."""
    if value < 0:
        return value
    return s8(-value)


def largest(values_of):
    """A function that gets memory."""
    best: u16 = 0
    for i in range(len(values_of.words)):
        best = max(best, values_of.words[i])
    return best


@skep.xdp
def functions(ctx):
    """Functions: by value, by pointer, of narrow numbers."""
    v = ctx.view(Given)
    if v is None:
        return 0
    value = Value(count=1)
    value.words[1] = v.a
    value.words[2] = v.b
    sum_ = s32(folded(v.big, 5) * 3 + largest(value))
    return sum_ + negative(v.signed) + negative(-v.signed)


@skep.xdp
def parses(ctx):
    """A packet as a list of records, each with its length, until it ends."""
    at: u32 = 0
    seen: u32 = 0
    for _ in range(16):
        length = ctx.view(u8, at)
        if length is None or length == 0:
            break
        last = ctx.view(u8, at + length)
        if last is None:
            return -1
        last += 1
        seen = seen * 7 + last
        at += length + 1
    return seen


class Byte(Struct):
    """One of a packet."""

    value: u8


def byte_at(ctx, at: u32):
    """A view that a function gives, or None."""
    if at > 1000:
        return None
    return ctx.view(Byte, at)


@skep.xdp
def views_of_a_function(ctx):
    """What a function finds in a packet."""
    first = byte_at(ctx, 0)
    far = byte_at(ctx, 30)
    if first is None or byte_at(ctx, 2000) is not None:
        return 1
    if far is None:
        return 3
    far.value += first.value
    return far.value


@skep.xdp
def measures(ctx):
    """The length of a packet."""
    return 3 if len(ctx) > 60 and len(ctx) % 2 == 0 else 1


@skep.tc("ingress")
def marks(ctx):
    """Fields of a context."""
    v = ctx.view(Given)
    if v is None:
        return ctx.len
    ctx.mark = v.a
    return ctx.mark + ctx.len


@skep.raw_tp("sys_enter")
def calls(regs, number):
    """Arguments of a tracepoint: a pointer and a signed number."""
    if number < 0:
        return -1
    numbers.increment(u32(number))
    total.hits = u64(regs)
    return number + 1


@skep.cgroup("skb_egress")
def lets_pass(ctx):
    """A verdict of a cgroup; kernels before 6.13 give such a test run no packet to look into."""
    return 1 if ctx.len > 41 else 0


@skep.tp_btf("sched_process_exec")
def attached(task):
    """A kind that the kernel runs only where it is attached."""
    return 0


pages = Array(Page, 2)
long_notes = Ring(Long)


@skep.xdp
def large(ctx):
    """Memory beyond what stores of words fill and copy."""
    one, other = pages.lookup(0), pages.lookup(1)
    if one is None or other is None:
        return 1
    other.text = one.text
    other.odd = one.odd
    e = long_notes.reserve()
    if e is None:
        return 0
    e.number = len(ctx)
    e.submit()
    return 2
