"""Functions that are made for what they are given: types, maps, text, tables, other functions."""

import skep
from skep import Hash, LruHash, Struct, be16, s32, s64, u8, u16, u32, u64
from tests.kernel.lang.both import Given


class Small(Struct):
    """Two bytes."""

    first: u8
    second: u8


class Wide(Struct):
    """Two words."""

    first: u32
    second: u16


few = Hash(u32, u64, 16)
many = LruHash(u64, u32, 64)
LIMITS = (3, 50, 200)
OTHERS = (1, 2, 3)
WORD = b"ab"


def counted(table, key):
    """Counts in any map."""
    table.increment(key, 2)
    found = table.lookup(key)
    return u64(found) if found is not None else u64(0)


def seen(ctx, kind, offset):
    """A part of a packet as any type."""
    part = ctx.view(kind, offset)
    return part.second if part is not None else u16(7)


@skep.noinline
def class_of(number: u32, limits):
    """Which of three limits a number stays below."""
    if number < limits[0]:
        return 0
    if number < limits[1]:
        return 1
    return 2 if number < limits[len(limits) - 1] else 3


def applied(function, number: u32):
    """A function of a function."""
    return function(number) + function(number + 1)


def doubled(number: u32):
    """Twice the number."""
    return number * 2


def squared(number: u32):
    """The number times itself."""
    return number * number


def fourfold(number: u32):
    """A function that is given to the one that it calls."""
    return applied(doubled, number)


def begins(v, what):
    """Text that is known where it is called."""
    return v.data.startswith(what) or v.data[8:].find(what) == 3


def made(kind, number: u32):
    """Memory of a type that is known where it is called."""
    one = kind(first=u8(number), second=u8(number >> 4))
    two = kind()
    two.second = one.first
    return u32(one.second) * 300 + two.second


@skep.xdp
def generic(ctx):
    """One function for many types."""
    v = ctx.view(Given)
    if v is None:
        return 0
    total = u32(counted(few, v.b)) + u32(counted(many, v.a)) + u32(counted(few, v.b))
    total += seen(ctx, Small, v.e & 15) + seen(ctx, Wide, 8) + seen(ctx, Wide, len(ctx) - 4)
    total += class_of(v.b, LIMITS) * 1000 + class_of(v.c, OTHERS) * 5000
    total += applied(doubled, v.b) + applied(squared, v.c)
    total += applied(fourfold, v.c) * 3
    total += made(Small, v.b) + made(Wide, v.c)
    kind = be16
    port = ctx.view(kind, 16)
    if port is not None and begins(v, WORD) and begins(v, b"a"):
        total += port
    return s32(total)


PRIMES = (2, 3, 5, 7, 11, 13)
WIDE = (-1, 1 << 40, 7)


@skep.xdp
def tables(ctx):
    """Numbers of tuples, by places that are not known, and one after the other."""
    v = ctx.view(Given)
    if v is None:
        return 0
    total = u32(0)
    for prime in PRIMES:
        if prime == 7:
            continue
        if v.b % prime == 1:
            total += prime * 100
        if prime > v.f:
            break
    total += PRIMES[v.e & 3] + LIMITS[v.c % 3]
    wide = s64(WIDE[v.e % 3]) * 3
    for i in range(v.f & 7):
        total += PRIMES[min(i, len(PRIMES) - 1)]
    return s32(total) + s32(wide & 0xFFFF) + s32(wide >> 40)


ALL = (generic, tables)
