"""Numbers for programs: functions that a program calls, which are compiled into it."""

from typing import Any

from skep.lang.types import u32, u64

ONES, PAIRS, HALVES = 0x5555555555555555, 0x3333333333333333, 0x0F0F0F0F0F0F0F0F
BYTES = 0x0101010101010101


def log2(value: u64) -> Any:
    """The power of two that ``value`` reaches: 3 for 8 to 15, 0 for 0 and 1. It is at most 63.

    All bits below the highest are set, then bits are counted. There is no branch: the verifier goes through it once,
    however often it is called. Source of the counting: Warren, Hacker's Delight, section 5-1.
    """
    value |= 1
    value |= value >> 1
    value |= value >> 2
    value |= value >> 4
    value |= value >> 8
    value |= value >> 16
    value |= value >> 32
    value -= (value >> 1) & ONES
    value = (value & PAIRS) + ((value >> 2) & PAIRS)
    value = (value + (value >> 4)) & HALVES
    return u32((value * BYTES >> 56) - 1)
