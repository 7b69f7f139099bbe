"""Ordinary Python in programs: loops over tuples and arrays, several targets, defaults, names given in conditions."""

import enum

import skep
from skep import Array, Hash, Struct, s8, s32, s64, u8, u16, u32, u64
from tests.kernel.lang.both import Given

PRIMES = (2, 3, 5, 7, 11)
ROWS = ((4, 100), (20, 1000))
DEEP = 3


class Color(enum.IntEnum):
    """Numbers with names."""

    RED = 7
    GREEN = 80


class Cell(Struct):
    """An element."""

    left: u32
    right: u16


class Board(Struct):
    """Arrays of several kinds."""

    cells: Cell[4]  # type: ignore[type-arg, valid-type]
    words: u32[4]
    marks: u64[3]
    long: u64[40]
    odd: u8[7]


boards = Array(Board, 2)
counts = Hash(u32, u64, 64)


@skep.xdp
def tuples(ctx):
    """Written out, captured, and a part of one."""
    v = ctx.view(Given)
    if v is None:
        return 0
    total: u32 = 0
    for prime in (2, 3, 5):
        if v.b % prime == 0:
            total += prime
    for last in [1 << 10]:
        total += last
    for prime in PRIMES[1:4]:
        total = total * prime + v.e
    return s32(total & 0xFFFFFF)


@skep.xdp
def numbered(ctx):
    """Backwards, numbered, and side by side."""
    v = ctx.view(Given)
    if v is None:
        return 0
    total: u32 = 0
    for place, prime in enumerate(reversed(PRIMES), start=1):
        total += place * prime * v.c
    for i, (one, other) in enumerate(zip(PRIMES, range(30, 0, -4), strict=False)):
        total += i * one * other
        if i == v.b & 7:
            break
    return s32(total & 0xFFFFFF)


@skep.xdp
def rows(ctx):
    """Tuples of tuples, taken apart."""
    v = ctx.view(Given)
    if v is None:
        return 0
    total: u32 = 0
    for port, (low, high) in ((80, (1, 4)), (443, (2, 9))):
        if v.d == port:
            total += low * v.b + high
    for limit, weight in ROWS:
        if v.c > limit:
            total += weight
    return s32(total & 0xFFFFFF)


@skep.xdp
def arrays(ctx):
    """Elements of arrays on the stack, in a map, in the packet; numbers and structs."""
    v, board = ctx.view(Given), boards.lookup(0)
    if v is None or board is None:
        return 0
    numbers = u32[8]()
    for i in range(len(numbers)):
        numbers[i] = v.b * i + v.e
    total = u64(0)
    for number in numbers:
        if number & 1:
            continue
        total += number
    for i, byte in enumerate(v.data):
        total += i * byte
    for cell, word in zip(board.cells, reversed(board.words), strict=True):
        cell.left += word
        cell.right = u16(total)
        total += cell.left
    board.words[-1] += v.c
    for i, word in enumerate(numbers[2:6]):
        board.words[i] += word
    return s32(total & 0xFFFFFF)


@skep.xdp
def changing(ctx):
    """Loops over arrays that their bodies change: an element is what it is when its round begins."""
    v = ctx.view(Given)
    if v is None:
        return 0
    numbers = u32[8]()
    total: u64 = 0
    for number in numbers:
        numbers[7] += v.b + number
    for number in reversed(numbers):
        numbers[0] = numbers[0] * 3 + number + v.e
    for i, number in reversed(enumerate(numbers)):
        numbers[i >> 1] += number
    for i, (number, other) in enumerate(zip(numbers, reversed(numbers), strict=True)):
        numbers[(i + 1) & 7] += other + v.c
        total += total * 5 + number
    return s32(total & 0xFFFFFF)


@skep.xdp
def distances(ctx):
    """Ranges of a known length from a number that is not known."""
    v = ctx.view(Given)
    if v is None:
        return 0
    total: u64 = 0
    begin = v.b
    for i in range(begin, begin + 8):
        total = total * 3 + i
        begin = 5
    for i in range(v.a, v.a + 5):
        total += i
    for i in range(v.d, v.d + 20, 6):
        if i & 1:
            continue
        total = total * 5 + i
    top = v.c | 0xFFFFFFF0
    for i in range(top, top + 12):  # none where the end wraps around
        total += i
    under = s32(v.c) - 20
    for signed in range(under, under + 3):
        total += u64(signed * signed)
    return s32(total & 0xFFFFFF)


@skep.inline
def parts(number: u32, by: u32 = DEEP):
    """Two results, of which a caller may leave out how."""
    return number // by, number % by


@skep.noinline
def weighed(number: u32, weight: u32 = 2, more: u32 = 0):
    """Defaults of a function of its own."""
    return number * weight + more


@skep.inline
def either(test: u32, number: u32):
    """One of two, each of several results."""
    return parts(number) if test & 1 else (number, u32(9))


@skep.xdp
def targets(ctx):
    """Several targets; two values of one of two; both results of a division; arguments by name."""
    v = ctx.view(Given)
    if v is None:
        return 0
    first = second = v.b + 1
    second += 1
    v.f = v.out[3] = u8(first)
    up, down = parts(v.c) if v.e & 1 else parts(v.b, 5)
    left, right = (up, down) if v.b > v.c else (down, up)
    quotient, rest = divmod(v.b + 100, v.e & 15)
    low, high = divmod(s32(v.b) - 50, -7)
    one, other = either(v.e, v.b)
    total = weighed(number=left, more=right) + weighed(v.c) + weighed(u32(v.e), 3)
    total += first * second + quotient * 8 + rest + one + other
    return s32(total & 0xFFFFFF) + low - high


@skep.xdp
def choices(ctx):
    """The least and the most of several; signs; truth values; members of an enumeration."""
    v = ctx.view(Given)
    if v is None:
        return 0
    low, high = min(v.b, v.c, v.d, 1000), max(v.b, v.c, 3, 40)
    far = abs(s32(v.b) - s32(v.c))
    near = u32(abs(s8(v.e))) + abs(v.b) + abs(-5)
    long = abs(s64(v.b) - 150)
    truth = bool(v.f) + bool(v.b > v.c)
    color = 3 if v.d == Color.GREEN.value else u32(v.f == Color.RED)
    total = u64(low) * 3 + high * 5 + u64(far) * 7 + u64(near) + u64(long) * 11
    return s32((total + truth * 13 + color) & 0xFFFFFF)


@skep.xdp
def wholes(ctx):
    """Arrays that change and are compared as wholes."""
    v, board, other = ctx.view(Given), boards.lookup(0), boards.lookup(1)
    if v is None or board is None or other is None:
        return 0
    mine = u32[4]()
    mine[0] = v.b
    mine[3] = v.c
    board.words |= mine
    board.words ^= other.words
    board.marks[1] = v.a
    other.marks |= board.marks
    other.marks &= board.marks
    board.long[39] = v.a
    board.long[2] = v.b
    other.long ^= board.long
    mine &= board.words
    board.odd[6] = v.e
    other.odd |= board.odd
    other.words[1] = v.b & 1
    board.odd[1:3] |= board.odd[5:7]
    same = board.marks == other.marks
    differ = mine != board.words
    total = mine[0] + mine[-1] + board.words[3] + other.odd[6] + board.odd[2]
    total += u32(other.long[39]) + u32(other.long[2]) + u32(other.long[3])
    return s32((total + same * 3 + differ * 5) & 0xFFFFFF)


@skep.xdp
def names(ctx):
    """Names given in conditions, and what follows a loop that was not left."""
    v = ctx.view(Given)
    if v is None:
        return 0
    total = u64(0)
    if (rest := v.b % 7) > 3 and rest != 5:
        total += rest
    elif (more := v.c + 1) > 100:
        total += more
    counts[v.b & 7] = u64(v.e)
    if (count := counts.lookup(v.c & 7)) is not None:
        count += 1
        total += count
    return s32(total & 0xFFFFFF)


@skep.xdp
def ends(ctx):
    """Names given at the head of a loop, and what follows a loop that was not left."""
    v = ctx.view(Given)
    if v is None:
        return 0
    total, steps = u64(0), u32(0)
    while (left := v.b - steps * 10) > 30 and steps < 20:
        steps += 1
        if left == 57:
            continue
        total += left
    for i in range(10):
        if i * 10 > v.b:
            break
    else:
        total += 1000
    tries = v.c & 15
    while tries:
        tries -= 1
        if tries == v.e & 7:
            break
    else:
        total += 5000
    return s32(total & 0xFFFFFF)


@skep.xdp
def conditions(ctx):
    """Names given behind ``and``, and numbers looked for in arrays."""
    v = ctx.view(Given)
    if v is None:
        return 0
    counts[v.b & 3] = u64(v.e) + 1
    total = u64(0)
    if v.e & 1 and (count := counts.lookup(v.c & 3)) is not None and count > 9:
        total += count
    if v.b > 5 and (rest := v.c % 5) and rest != 3:
        total += rest * 100
    elif v.b & 1 and (more := v.b * 3) > 20:
        total += more
    else:
        total += 7
    numbers = u32[3]()
    numbers[0] = numbers[1] = v.b
    numbers[2] = 300
    if v.c in numbers:
        total += 1000
    if v.f not in v.data and 47 in v.data:
        total += 2000
    return s32(total & 0xFFFFFF)


@skep.xdp
def leaves(ctx):
    """A program that says nothing."""
    v = ctx.view(Given)
    if v is None:
        return None
    for byte in v.data:
        if byte == v.e:
            return 1
    return v.b & 3


class Slots(Struct):
    """As many as a histogram has at most."""

    of: u32[64]


histograms = Array(Slots, 2)


@skep.xdp
def histogram(ctx):
    """A number falls into one of 64 slots, which no test of its own bounds."""
    v = ctx.view(Given)
    here = histograms.lookup(1)
    if v is None or here is None:
        return 0
    here.of[skep.log2(v.a)] += 1
    skep.atomic_add(here.of[skep.log2(u64(v.b))], 2)
    total: u32 = 0
    for i in range(64):
        total = total * 3 + here.of[i]
    return s32(total & 0xFFFF)


class Tally(Struct):
    """A value that is made where it is missing."""

    hits: u64
    slots: u32[27]


tallies = Hash(u32, Tally, 4)
totals = Array(u64, 2)
SINCE = 0


@skep.xdp
def defaults(ctx):
    """Entries that are made where they are missing, and limits that are configured."""
    v = ctx.view(Given)
    if v is None:
        return 0
    tally = tallies.setdefault(v.e & 7)
    if tally is None:
        return -1
    tally.hits += 1
    tally.slots[min(skep.log2(v.b), 26)] += 1
    first = counts.setdefault(v.e & 3, v.b)
    if first is None or v.b < SINCE:
        return -2
    first += ord("A")
    v.out[0] = u8(tally.hits)
    return s32(first & 0xFFFF)


class Large(Struct):
    """More than a program's stack has room for."""

    seen: u8[600]
    hits: u32


larges = Hash(u32, Large, 8)


@skep.xdp
def large_defaults(ctx):
    """Large values that are made where they are missing."""
    v = ctx.view(Given)
    if v is None:
        return 0
    large = larges.setdefault(v.e & 1)
    if large is None:
        return -1
    large.hits += v.b
    large.seen[599] += 2
    return s32(large.hits * 100 + large.seen[599] + large.seen[0])


def adds(key, value):
    """What is called for an entry."""
    totals.increment(0, value.hits + key)
    return value.hits > 3


@skep.xdp
def walks(ctx):
    """The entries of a map, until something is true."""
    v = ctx.view(Given)
    if v is None:
        return 0
    tally = tallies.setdefault(1)
    if tally is None:
        return -1
    tally.hits += v.e & 1
    called = tallies.for_each(adds)
    total = totals.lookup(0)
    return -2 if total is None else s32(total & 0xFFFF) * 16 + called


@skep.xdp
def swaps(ctx):
    """Arrays and structs that change places, in a packet and on the stack."""
    v = ctx.view(Given)
    if v is None:
        return 0
    v.data[:4], v.data[4:8] = v.data[4:8], v.data[:4]
    board = Board()
    board.cells[0], board.cells[1] = Cell(v.b, 5), Cell(7, v.d)
    board.cells[0], board.cells[1], board.cells[2] = board.cells[1], board.cells[2], board.cells[0]
    board.odd[:3], board.odd[3:6] = v.data[:3], v.data[4:7]
    (board.odd[:3], board.odd[3:6]) = (
        (board.odd[3:6], board.odd[:3]) if v.e & 1 else (board.odd[:3], board.odd[3:6])
    )
    v.out[:3], v.out[4:7] = board.odd[:3], board.odd[3:6]
    v.out[8] = u8(board.cells[0].right)
    v.out[9] = u8(board.cells[1].right)
    v.out[10] = u8(board.cells[2].left)
    return 2


@skep.xdp
def moving(ctx):
    """Parts of arrays that begin where a number says: of bytes, numbers and Structs, in a map and on the stack."""
    v = ctx.view(Given)
    board = boards.lookup(1)
    if v is None or board is None:
        return 0
    near, far = v.e & 1, (v.c & 7) + 20
    own = u8[32]()
    for i in range(32):
        own[i] = u8(v.b) + i
        board.long[i] = v.a + i
    own[near : near + 4], own[far : far + 4] = own[far : far + 4], own[near : near + 4]
    if own[near + 1 : near + 1 + 2] == own[8:10] or own[far : far + 4].startswith(b"\x05\x06"):
        own[far : far + 4] = b"\xff\xfe\xfd\xfc"
    board.words[near : near + 3] = board.words[1:4]
    board.words[near : near + DEEP] |= board.words[1:4]
    board.long[far : far + 5] = board.long[near * 2 : near * 2 + 5]
    board.cells[near].left = 9
    board.cells[near + 1 : near + 1 + 2] = board.cells[near : near + 2]
    skep.xdp_load_bytes(near, own[16 - near : 16 - near + 3])
    v.out[:32] = own
    v.out[32] = u8(board.long[far + 4])
    v.out[33] = u8(board.cells[near + 1].left)
    return 2 + near


ALL = (
    moving,
    swaps,
    defaults,
    histogram,
    large_defaults,
    walks,
    tuples,
    numbered,
    rows,
    arrays,
    changing,
    distances,
    targets,
    choices,
    wholes,
    names,
    ends,
    conditions,
    leaves,
)
