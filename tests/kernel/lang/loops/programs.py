"""Programs with loops that the verifier does not follow round by round, on kernels old and new."""

import skep
from skep import Hash, Record, Ring, Struct, s16, s32, u16, u32, u64
from tests.kernel.lang.both import Given


class Box(Struct):
    """Memory on the stack that loops change."""

    count: u64
    cells: u32[4]


class Seen(Record):
    """What a loop tells."""

    round: u32


counts = Hash(u32, u64, 512)
ring = Ring(Seen)


@skep.xdp
def long(ctx):
    """A range that is too long to be followed; continue and break."""
    total: u64 = 0
    for i in range(12_000):
        if i == 5:
            continue
        if i > 9_000:
            break
        total += i
    return s32(total & 0x7FFFFFFF)


@skep.xdp
def unknown(ctx):
    """A range whose end is not known; a return."""
    v = ctx.view(Given)
    if v is None:
        return 0
    n = 0
    for i in range(v.b):
        n += 1
        if n == 77:
            return 5000 + s32(i)
    return n


@skep.xdp
def down(ctx):
    """Backwards, in steps, with memory on the stack that changes and is asked about."""
    v = ctx.view(Given)
    if v is None:
        return 0
    n: u32 = 0
    box = Box(count=1)
    for i in range(v.b, v.c, -3):
        box.count += 1
        box.cells[i & 3] += 1
        n = n * 31 + i + v.c
        if box.count == 10:
            break
    if box.count == 1:
        return 1
    return s32(n + u32(box.count) + box.cells[0])


@skep.xdp
def collatz(ctx):
    """A while loop whose end nobody can see."""
    v = ctx.view(Given)
    if v is None:
        return 0
    n = v.a & 0xFFFFFF
    k = 0
    while n not in (0, 1):
        if n & 1:
            n = 3 * n + 1
        else:
            n >>= 1
        k += 1
    return k


@skep.xdp
def endless(ctx):
    """Only break ends it; what it sets is there after it."""
    v = ctx.view(Given)
    if v is None:
        return 0
    n: u32 = v.b
    while True:
        square = n * n
        if square > 1000:
            break
        n += 1
        if n == 7:
            continue
        n += 1
    return s32(square)


@skep.xdp
def nested(ctx):
    """A long loop in a long loop; break and return of the inner one."""
    v = ctx.view(Given)
    if v is None:
        return 0
    n: u32 = 0
    for i in range(v.b):
        row: u32 = 0
        for j in range(v.c):
            row += i * j
            if row > 5000:
                return s32(row)
            if j > i:
                break
        n += row
    return s32(n)


def triangle(n: u32):
    """A loop in a function that a loop calls."""
    total: u32 = 0
    for i in range(n):
        total += i
    return total


@skep.xdp
def calls(ctx):
    """Functions with loops."""
    v = ctx.view(Given)
    if v is None:
        return 0
    total: u32 = 0
    for i in range(v.b & 63):
        total += triangle(u32(i))
    for i in range(v.c):
        total += i
    return s32(total)


@skep.xdp
def first(ctx):
    """What changes from round to round is not what it was before the first."""
    v = ctx.view(Given)
    if v is None:
        return 0
    begun = False
    rounds = 0
    last: u32 = 0
    for i in range(v.b):
        if begun:
            rounds += 1
        begun = True
        last = i + 7
        if rounds == 3:
            v.e = 99
    if not begun:
        return rounds - 1
    if rounds == 0:
        return 1
    if last == 7:
        return 2
    return rounds


@skep.xdp
def stays(ctx):
    """A loop that may not run leaves what was before it."""
    v = ctx.view(Given)
    if v is None:
        return 0
    mark = 3
    for _ in range(v.c):
        mark = 5
    if mark == 5:
        return mark * 10
    return mark * 100


@skep.xdp
def short(ctx):
    """Loops that the verifier follows."""
    v = ctx.view(Given)
    if v is None:
        return 0
    n = v.a
    bits = 0
    while n > 0:
        n >>= 1
        bits += 1
    i = 0
    while i < 20:
        i += 3
        bits += i
    while i != 0:
        i -= 1
    return bits + i


@skep.xdp
def looks_up(ctx):
    """Maps, records and packets within a long loop."""
    v = ctx.view(Given)
    if v is None:
        return 0
    found = 0
    for i in range(v.b):
        key: u32 = i & 31
        counts.increment(key)
        count = counts.lookup(key)
        if count is not None and count > 2:
            found += 1
            v.f = found
        if i > 200:
            e = ring.reserve()
            if e is not None:
                e.round = i
                e.submit()
    return found


@skep.xdp
def bounded(ctx):
    """The number of a round stays below the end of a constant range: it is an index without a mask."""
    v = ctx.view(Given)
    if v is None:
        return 0
    last = 0
    for i in range(40):
        for j in range(u64(30_000)):
            if j > i:
                break
            last += v.data[i]
    return last


@skep.xdp
def carried(ctx):
    """What a round stores is made by the one before it; of the first, before the loop."""
    v = ctx.view(Given)
    if v is None:
        return 0
    value: u64 = v.b
    for _ in range(4):
        v.f = value
        value = 7
    return 2


@skep.noinline
def winds(number: s32, other: s16, last: u32):
    """A loop of which the kernel counts the rounds."""
    rounds: u32 = 0
    while True:
        if rounds >= 5:
            break
        rounds += 1
        if number in (128, 5, 1):
            return u32(other)
    return u32(last) if number != 3 else rounds


@skep.xdp
def around(ctx):
    """A short loop, in which another function has a long one."""
    v = ctx.view(Given)
    if v is None:
        return 0
    seen = u32[8]()
    rounds: u16 = 4
    while rounds:
        rounds -= 1
        seen[winds(100, 25, v.b) & 7] += 1
    return seen[0] * 8 + seen[1]


@skep.xdp
def exchanged(ctx):
    """The numbers of two rounds change places."""
    v = ctx.view(Given)
    if v is None:
        return 0
    last: u64 = 0
    for i in range(u64(0), 4):
        for j in range(u64(0), 3):
            i, j = j, i  # noqa: PLW2901 - what is tested
            last = last * 5 + (i // 3) * (j & 3) + v.data[i]
    v.a = last
    return 2


ALL = (
    around,
    exchanged,
    long,
    unknown,
    down,
    collatz,
    endless,
    nested,
    calls,
    first,
    stays,
    short,
    looks_up,
    bounded,
    carried,
)
