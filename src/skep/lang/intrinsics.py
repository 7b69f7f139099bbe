"""Functions of the language that are no kernel helpers: atomics, byte order, text from elsewhere, sizes and offsets.

In plain Python they do the same.

An atomic operation takes an integer in memory: a field of a map value or record (``value.hits``), or what a lookup of
an integer gave. In plain Python such an integer is a ``Reference`` (``skep.testing``).
"""

from collections.abc import Callable
from typing import Any

from skep.base.frozen import frozen
from skep.lang.types import u16, u32, u64


@frozen
class Intrinsic:
    """A function that the compiler lowers itself: its name, and what it does in plain Python."""

    name: str
    plain: Callable[..., Any]

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(self, *args: Any) -> Any:
        """Do it in plain Python."""
        return self.plain(*args)


def _swap(value: int, size: int) -> int:
    return int.from_bytes((value & ((1 << 8 * size) - 1)).to_bytes(size, "little"), "big")


def _atomic(change: Callable[[int, int], int]) -> Callable[..., int]:
    def run(target: Any, operand: int) -> int:
        old = int(target[0])
        target[0] = change(old, operand)
        return old

    return run


def _compare_exchange(target: Any, expected: int, value: int) -> int:
    old = int(target[0])
    if old == expected:
        target[0] = value
    return old


atomic_add = Intrinsic("atomic_add", _atomic(lambda old, by: old + by))
atomic_and = Intrinsic("atomic_and", _atomic(lambda old, by: old & by))
atomic_or = Intrinsic("atomic_or", _atomic(lambda old, by: old | by))
atomic_xor = Intrinsic("atomic_xor", _atomic(lambda old, by: old ^ by))
atomic_xchg = Intrinsic("atomic_xchg", _atomic(lambda _, new: new))
atomic_cmpxchg = Intrinsic("atomic_cmpxchg", _compare_exchange)
ntohs = Intrinsic("ntohs", lambda value: u16(_swap(value, 2)))
ntohl = Intrinsic("ntohl", lambda value: u32(_swap(value, 4)))
ntohll = Intrinsic("ntohll", lambda value: u64(_swap(value, 8)))
htons = Intrinsic("htons", lambda value: u16(_swap(value, 2)))
htonl = Intrinsic("htonl", lambda value: u32(_swap(value, 4)))
htonll = Intrinsic("htonll", lambda value: u64(_swap(value, 8)))


def _text(_address: Any, _size: int) -> Any:
    raise TypeError("text is copied in programs; as plain Python, call the program by .py(...)")


user_string = Intrinsic("user_string", _text)
kernel_string = Intrinsic("kernel_string", _text)


def _size(kind: Any) -> int:
    return int(kind.size)


def _offset(kind: Any, name: str) -> int:
    offset = 0
    for part in name.split("."):
        field = kind.field(part)
        offset, kind = offset + field.offset, field.type
    return offset


sizeof = Intrinsic("sizeof", _size)
offsetof = Intrinsic("offsetof", _offset)

LAYOUTS = ("sizeof", "offsetof")
SWAPS = {"ntohs": u16, "htons": u16, "ntohl": u32, "htonl": u32, "ntohll": u64, "htonll": u64}
TEXTS = {"user_string": "probe_read_user_str", "kernel_string": "probe_read_kernel_str"}
ATOMICS = {
    "atomic_add": "add",
    "atomic_and": "and",
    "atomic_or": "or",
    "atomic_xor": "xor",
    "atomic_xchg": "xchg",
}
