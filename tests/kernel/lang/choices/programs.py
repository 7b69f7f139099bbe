"""Programs that choose by ``match``, and functions with several results."""

import enum

import skep
from skep import Hash, s32, u8, u32, u64
from tests.kernel.lang.both import Given


class Port(enum.IntEnum):
    """Numbers with names."""

    DNS = 53
    HTTP = 80
    HTTPS = 443


TCP, UDP = 6, 17
HIGHEST = 0xFFFF
seen = Hash(u32, u32, 64)


@skep.xdp
def by_constants(ctx):
    """Constants, alternatives, a wildcard; a return and a fall through."""
    v = ctx.view(Given)
    if v is None:
        return 0
    result = 0
    match v.f:
        case 0 | 1:
            result = 1
        case 6:
            result = 60
        case 17:
            return result + 17
        case 255:
            pass
        case _:
            result = 9
    return result


@skep.xdp
def by_names(ctx):
    """Names of numbers, guards, and names that a case gives."""
    v = ctx.view(Given)
    if v is None:
        return 0
    match v.d:
        case Port.DNS:
            return 1
        case Port.HTTP | Port.HTTPS if v.e > 100:
            return 2
        case Port.HTTP | Port.HTTPS as port:
            return port
        case port if port > 60000:
            return port + 7
        case other:
            return other + 5


@skep.xdp
def by_loops(ctx):
    """break and continue in a case; a subject that is worked out once; truth values."""
    v = ctx.view(Given)
    if v is None:
        return 0
    total = 0
    for i in range(7):
        match v.data[i] & 0x7F:
            case 0:
                continue
            case 47 if total > 150:
                break
            case 97 | 98:
                total += 100
            case n:
                total += n
    match total > 100:
        case True:
            v.e = 1
        case False:
            v.e = 2
    return total


@skep.xdp
def nested(ctx):
    """match in match, of signed and wide numbers."""
    v = ctx.view(Given)
    if v is None:
        return 0
    number: u8 = 0
    match s32(v.b) - 50:
        case -50:
            match v.a:
                case 0xFFFFFFFF:
                    number = 1
                case 0x1FFFFFFFF:
                    number = 2
        case 50 | 100:
            number = 300 - 45
        case number:
            pass
    return number


def divided(number: u64, by: u64):
    """Two numbers."""
    return number // by, number % by


def parts(number: u32):
    """Numbers of several widths, and a truth value; returns in several places."""
    if number == 0:
        return 0, u8(0), False
    return number * 3, u8(number), number > 100


@skep.noinline
def called(number: u32, high: u32):
    """A call of its own."""
    for i in range(high):
        if i * i > number:
            return i, number + 1
    return 7, number


def found(key: u32):
    """A pointer that may be None, and a number."""
    seen.increment(key)
    entry = seen.lookup(key)
    return entry, key + 1


def again(number: u64):
    """The results of another."""
    return divided(number, 10)


@skep.xdp
def takes_apart(ctx):
    """Numbers of functions, and exchanges."""
    v = ctx.view(Given)
    if v is None:
        return 0
    quotient, rest = divided(v.a, v.b)
    a, b, c = parts(v.b)
    root, more = called(v.c, v.b)
    tens, ones = again(v.a)
    quotient, rest = rest, quotient
    v.e, v.f = v.f, v.e
    x, y = 1, u32(v.d)
    x, y = y, x + y
    first, second = PAIR
    total = u32(quotient) ^ u32(rest) ^ a ^ b ^ root ^ more ^ u32(tens) ^ u32(ones)
    return s32(total + c + x * 3 + y + first * second)


@skep.xdp
def takes_pointers(ctx):
    """Pointers among several results, and exchanged."""
    v = ctx.view(Given)
    if v is None:
        return 0
    one, k = found(v.b & 7)
    two, _ = found(k & 7)
    if one is None or two is None:
        return 1
    one += 5
    two += 50
    one, two = two, one
    two += 500
    return s32(one * 1000 + two + k)


PAIR = (5, 9)
SEVERAL = (takes_apart, takes_pointers)
MATCHES = (by_constants, by_names, by_loops, nested)
