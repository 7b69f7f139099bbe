"""Programs whose parts have effects: how often each is worked out, and in which order."""

import skep
from skep import Array, Global, Hash, Struct, s32, u32, u64
from tests.kernel.lang.both import Given


class Steps(Struct):
    """What was called, a digit each, and how often."""

    seen: u64
    calls: u32
    cells: u32[8]


steps = Global(Steps)
table = Hash(u32, u64, 8)
sums = Array(u64, 4)


def noted(number: u32):
    """A number, which is told."""
    steps.seen = steps.seen * 10 + number
    steps.calls += 1
    return number


@skep.noinline
def told(number: u32):
    """The same, called."""
    steps.seen = steps.seen * 10 + number
    steps.calls += 1
    return number


def place():
    """Memory, each time that it is asked for."""
    steps.calls += 1
    return steps


@skep.xdp
def in_place(ctx):
    """What finds a place that changes is worked out once."""
    v = ctx.view(Given)
    if v is None:
        return 0
    steps.seen = 0
    cells = u32[4]()
    cells[noted(1) & 3] += told(2)
    cells[(told(3) if len(ctx) in (1, 2, 3) else noted(4)) & 3] -= 1
    place().cells[noted(5)] += 7
    v.a = steps.seen
    return steps.calls * 100 + cells[1] * 10 + steps.cells[5]


@skep.xdp
def left_to_right(ctx):
    """Operands, arguments and results from the left; of an assignment the value comes first."""
    v = ctx.view(Given)
    if v is None:
        return 0
    steps.seen = 0
    total = noted(1) - told(2) + min(noted(3), told(4))
    a, b = noted(5), told(6)
    table.update(noted(7), told(8))
    steps.cells[noted(1)] = told(2)
    table[noted(3)] = told(4)
    table[told(5)] = steps.calls
    table[steps.calls & 3] = told(6) + noted(7)
    v.a = steps.seen + steps.calls * 1_000_000_000_000_000
    return total + a + b


@skep.xdp
def as_far_as_needed(ctx):
    """A chain of comparisons and a condition end early."""
    v = ctx.view(Given)
    if v is None:
        return 0
    steps.seen = 0
    if noted(1) < told(2) < noted(2) < told(9):
        return 1
    if noted(3) == 3 or told(9) == 9:
        v.b = told(4) if noted(5) == 6 or noted(6) == 6 else told(9)
    v.a = steps.seen
    return 0


@skep.xdp
def keys_in_arguments(ctx):
    """A map is asked while the key of another call of it stands ready."""
    v = ctx.view(Given)
    if v is None:
        return 0
    sums.increment(u32(v.e) & 3, 5 if (u32(v.f) & 3) in sums and 7 not in sums else 9)
    table[u32(v.e)] = 3 if u32(v.f) in table else 4
    first, second = table.lookup(u32(v.e)), sums.lookup(u32(v.e) & 3)
    if first is None or second is None:
        return 1
    return u32(first) * 100 + u32(second)


@skep.xdp
def tests_of_pointers(ctx):
    """Truth values of pointers beside those of numbers, which no instruction may join."""
    v = ctx.view(Given)
    if v is None:
        return 0
    known = (u32(v.e) in table) or (v.b != v.c)
    one, other = table.lookup(u32(v.d)), sums.lookup(v.b)
    if one is None and other is None:
        return 10 + known
    if one is None and v.f == 0:
        return 20 + known
    return 30 + known


@skep.xdp
def masks_of_offsets(ctx):
    """A bound that is written down stays, where the compiler knows that it is not needed."""
    v = ctx.view(Given)
    if v is None:
        return 0
    near = ctx.view(u32, 8 + ((7 // v.e) & 31))
    return 1 if near is None else near & 0xFFFF


def raised(count, place):
    """A function that changes the number that a pointer leads to."""
    count += 5
    place.calls += 1
    return count * place.calls


@skep.xdp
def numbers_behind_pointers(ctx):
    """A pointer to a number reads as what stands there when its turn comes, before what follows changes it."""
    v, count, steps_so_far = ctx.view(Given), sums.lookup(2), Steps()
    if v is None or count is None:
        return 0
    count[0] = v.b
    v.a = count + raised(count, steps_so_far)
    count += raised(count, steps_so_far)
    v.a += min(count, raised(count, steps_so_far)) * 3 + max(raised(count, steps_so_far), count)
    v.c += (count < raised(count, steps_so_far) < count + 9) + (
        count << (raised(count, steps_so_far) & 7)
    )
    made = Steps(seen=count, calls=u32(raised(count, steps_so_far)))
    whole, rest = divmod(count, raised(count, steps_so_far) | 1)
    match count:
        case before:
            v.a += before * raised(count, steps_so_far) + before
    v.b, v.d = count, raised(count, steps_so_far) & 0xFF
    v.a ^= made.seen + made.calls * 5 + whole * 7 + rest
    return s32(v.b) + s32(v.d)


@skep.xdp
def numbers_exchanged(ctx):
    """Two numbers change their places, each behind a pointer."""
    v, one, other = ctx.view(Given), sums.lookup(0), sums.lookup(1)
    if v is None or one is None or other is None:
        return 0
    one[0], other[0] = v.b, v.c
    one[0], other[0] = other, one
    v.a = one * 1000 + other
    one, other = other, one
    v.b, one[0] = one, other
    return s32(v.b) * 1000 + s32(u32(one))


@skep.xdp
def number_in_turn(ctx):
    """The same, small enough to be worked out by hand."""
    v, count, made = ctx.view(Given), sums.lookup(3), Steps()
    if v is None or count is None:
        return 0
    count[0] = v.b
    total = count + raised(count, made)
    count += raised(count, made)
    v.a = count[0]
    return s32(u32(total))


@skep.xdp
def value_before_key(ctx):
    """The value changes what the key reads."""
    steps.calls = 1
    table[steps.calls] = told(1)
    return 2


class Pair(Struct):
    """Two numbers that are set as one."""

    first: u32
    second: u32


class Pairs(Struct):
    """Several of them."""

    cells: Pair[4]  # type: ignore[type-arg, valid-type]


pairs = Global(Pairs)


@skep.xdp
def struct_before_place(ctx):
    """A struct is made before it is asked where it goes."""
    v = ctx.view(Given)
    if v is None:
        return 0
    steps.seen = 0
    pairs.cells[noted(1) & 3] = Pair(noted(2), second=noted(3))
    v.a = steps.seen
    return pairs.cells[1].second


@skep.xdp
def none_beside_a_number(ctx):
    """Whether a number is 0 and a pointer None: LLVM would make one test of both."""
    v = ctx.view(Given)
    if v is None:
        return 0
    n = v.a
    found = table.lookup(8)
    return u32(n == 0 and found is None)


@skep.xdp
def truth_beside_a_number(ctx):
    """Whether a pointer is None, as a number."""
    v = ctx.view(Given)
    if v is None:
        return 0
    n = v.a
    found = table.lookup(8)
    none = found is None
    return u32(n < (found is None)) + u32(n < none) * 2


@skep.xdp
def expected_before_new(ctx):
    """What is expected in a place is worked out before what it is to become."""
    v = ctx.view(Given)
    if v is None:
        return 0
    steps.seen = 0
    steps.cells[7] = v.c
    old = skep.atomic_cmpxchg(steps.cells[7], noted(1), told(2))
    v.a = steps.seen
    return old * 1000 + steps.cells[7]
