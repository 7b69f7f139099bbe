"""XDP programs that share a device: each leaves its digit in a trail, and drops what is addressed to it.

Only frames of an experimental type count, so that what the kernel itself sends does not; their first byte is the digit
of the program that is to drop them.
"""

import skep
from skep import Array, Program, Struct, be16, u8, u64

EXPERIMENT = 0x88B5


class Frame(Struct):
    """An Ethernet frame whose payload begins with a digit."""

    addresses: u8[12]
    type: be16
    digit: u8


trail = Array(u64, 1)
seen = Array(u64, 10)


@skep.inline
def step(ctx, digit: u64):
    """Note that a program ran; its verdict."""
    frame = ctx.view(Frame)
    if frame is None or frame.type != EXPERIMENT:
        return 2
    seen.increment(digit)
    past = trail.lookup(0)
    if past is not None:
        past[0] = past * 10 + digit
    return 1 if frame.digit == digit else 2


@skep.xdp(order=10)
def first(ctx):
    return step(ctx, 1)


@skep.xdp(order=20)
def second(ctx):
    return step(ctx, 2)


@skep.xdp(order=30)
def third(ctx):
    return step(ctx, 3)


@skep.xdp(order=5)
def ahead(ctx):
    return step(ctx, 5)


@skep.xdp(order=20)
def instead(ctx):
    return step(ctx, 7)


@skep.xdp
def stranger(ctx):
    return 2


@skep.xdp(order=40)
def aborts(ctx):
    """A verdict other than PASS, for what the last of a chain says counts too."""
    frame = ctx.view(Frame)
    if frame is not None and frame.type == EXPERIMENT:
        seen.increment(9)
        return 0
    return 2


def many(order: int) -> Program:
    """One program in as many places as are wanted."""
    return skep.xdp(order=order)(numbered)


def numbered(ctx):
    return step(ctx, 8)


TOO_MANY = [many(order) for order in range(100, 135)]
PROGRAMS = TOO_MANY
