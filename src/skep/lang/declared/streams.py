"""Declarations of streams that are no rings of records of one size: rings of long records, perf buffers, user rings."""

from typing import Any, Unpack

from skep.lang.maps import Declaration, Options, Ring, compiled
from skep.lang.spec import MapType
from skep.lang.struct import StructType
from skep.lang.types import u32

PAGE = 4096


class VariableRing(Ring):
    """``VariableRing(Line)``: a ring whose records have a tail of bytes, as long as each needs. Linux 5.19.

    ``size`` and ``wakeup`` are those of a Ring.
    """

    tails = True

    def __init__(
        self,
        record: StructType,
        *,
        size: int = 1 << 20,
        wakeup: str = "doorbell",
        **options: Unpack[Options],
    ) -> None:
        super().__init__(record, size=size, wakeup=wakeup, **options)

    def reserve(self, record: Any = 0) -> Any:
        """A record with so many bytes behind it, its header stamped, or None where the ring is full.

        ``record.write(offset, data, size)`` fills the tail; then ``submit()`` or ``discard()``.
        """
        raise compiled("reserve")


class PerfBuffer(Declaration):
    """``PerfBuffer(Event, pages=8)``: a buffer of a CPU's own for each, for kernels before 5.8 and for large samples.

    ``value`` is a Struct, or None for bytes, which get zeros up to a length of 4 more than a multiple of 8. ``pages``
    of 4096 bytes, a power of two, are for each CPU. A ring keeps the order of all CPUs and costs less. Linux 4.4.
    """

    type = MapType.PERF_EVENT_ARRAY

    def __init__(
        self, value: StructType | None, *, pages: int = 8, **options: Unpack[Options]
    ) -> None:
        if value is not None and not isinstance(value, StructType):
            raise TypeError(f"a perf buffer carries a Struct, or None: bytes, not {value!r}")
        if pages < 1 or pages & (pages - 1):
            raise ValueError(f"the pages of a perf buffer are a power of two, not {pages}")
        super().__init__(u32, u32, 1, **options)
        self.entries = 0  # as many as there are CPUs
        self.carries, self.pages = value, pages

    def output(self, data: Any, size: int = 0) -> int:
        """Copy memory into the buffer of this CPU; 0, or a negative errno."""
        raise compiled("output")


class UserRing(Declaration):
    """``UserRing(Message, size=4096)``: messages from Python to programs, which take them when they run. Linux 6.1.

    ``size`` is in bytes, a power of two of at least a page.
    """

    type = MapType.USER_RINGBUF

    def __init__(
        self, message: StructType, *, size: int = PAGE, **options: Unpack[Options]
    ) -> None:
        if not isinstance(message, StructType):
            raise TypeError(f"a user ring carries messages of a Struct, not {message!r}")
        if size < PAGE or size & (size - 1):
            raise ValueError(
                f"the size of a ring is a power of two of at least {PAGE} bytes, not {size}"
            )
        super().__init__(None, None, size, **options)
        self.carries = message

    def drain(self, function: Any, memory: Any = None) -> int:
        """Call ``function(message)`` for what is there, until it gives something true; how many, or an errno.

        With ``memory``, which lies on the stack, it is ``function(message, memory)``.
        """
        raise compiled("drain")
