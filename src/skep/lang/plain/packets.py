"""A packet of plain Python, and the helpers that read and change it; they answer as the kernel does.

The bytes lie in one piece, so that nothing has to be pulled. A packet that is made longer or shorter is new memory: a
view of it from before shows what was there then.
"""

import errno
from typing import TYPE_CHECKING, Any

from skep.lang.plain.memory import View, pointer, raw, type_of

if TYPE_CHECKING:
    from skep.lang.plain.kernel import FakeKernel

ETHERNET, HEADROOM, MOST = 14, 216, 3520
"""Bytes of the header, before an XDP packet, and of the longest one, in a test run."""
KEEPS_SUM, PSEUDO, MANGLES, ENFORCES = 0x0F, 0x10, 0x20, 0x40
FOLDED, LIMIT, SUMMED = 0xFFFF, 0xFFFF, 512


_OWN = frozenset({"bytes", "told", "len", "headroom", "_given"})
"""Attributes of a Packet that are no fields beside it."""


class Packet:
    """A packet, as the context of an XDP, tc or cgroup_skb program: ``view`` over its bytes, and fields by name.

    Bytes given as a ``bytearray`` are changed in place. ``told`` is the metadata before the packet.
    """

    def __init__(
        self, data: bytes | bytearray, *, told: bytes | bytearray = b"", **fields: Any
    ) -> None:
        self.bytes = data if isinstance(data, bytearray) else bytearray(data)
        self.told = told if isinstance(told, bytearray) else bytearray(told)
        self.len, self.headroom = len(data), HEADROOM
        self._given = self.bytes
        for name, value in fields.items():
            setattr(self, name, value)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    @property
    def fields(self) -> dict[str, Any]:
        """What it has beside its bytes, by name."""
        return {name: value for name, value in vars(self).items() if name not in _OWN}

    def __len__(self) -> int:
        """Its length in bytes."""
        return len(self.bytes)

    def view(self, kind: Any, offset: int = 0) -> View | None:
        """The bytes from ``offset`` on as ``kind``, or None where the packet is too short."""
        return _window(self.bytes, kind, offset)

    def metadata(self, kind: Any, offset: int = 0) -> View | None:
        """The same of the metadata before the packet."""
        return _window(self.told, kind, offset)

    def replace(self, data: bytes | bytearray) -> None:
        """Other bytes, perhaps more or fewer, in memory of their own."""
        self.bytes, self.len = bytearray(data), len(data)

    def hand_back(self) -> None:
        """What was given has the bytes that the packet has now, also where it was replaced."""
        if self._given is not self.bytes:
            self._given[:] = self.bytes
            self.bytes = self._given


def _window(data: bytearray, kind: Any, offset: int) -> View | None:
    """Bytes from ``offset`` on as ``kind``; None where there are fewer."""
    wanted, at = type_of(kind), int(offset)
    if at < 0 or at + wanted.size > len(data):
        return None
    return pointer(wanted, memoryview(data)[at : at + wanted.size])


def packet(kernel: "FakeKernel") -> Packet:
    """The packet of the program that runs. TypeError where its context is no packet."""
    if not isinstance(kernel.context, Packet):
        raise TypeError("the context of this run is no packet; give bytes, or a skep.Packet")
    return kernel.context


def _part(kernel: "FakeKernel", offset: int, size: int) -> memoryview | None:
    found = packet(kernel).bytes
    inside = 0 <= offset <= LIMIT and offset + size <= len(found)
    return memoryview(found)[offset : offset + size] if inside else None


# --- bytes --------------------------------------------------------------------------------------------------------


def skb_load(kernel: "FakeKernel", offset: int, to: Any, size: int) -> int:
    """skb_load_bytes: what cannot be read is zero."""
    found = _part(kernel, offset, size)
    raw(to)[:size] = bytes(size) if found is None else found
    return -errno.EFAULT if found is None else 0


def skb_load_relative(kernel: "FakeKernel", offset: int, to: Any, size: int, start: int) -> int:
    """skb_load_bytes_relative: from the MAC header (0), which a cgroup's packet has not, or the network header (1)."""
    if start not in (0, 1):
        raw(to)[:size] = bytes(size)
        return -errno.EFAULT
    header = ETHERNET if kernel.family == "tc" else 0
    if start == 0 and not header:
        raw(to)[:size] = bytes(size)
        return -errno.EFAULT
    return skb_load(kernel, offset + (header if start else 0), to, size)


def skb_store(kernel: "FakeKernel", offset: int, data: Any, size: int, flags: int) -> int:
    """skb_store_bytes; the flags say how checksums follow, which these packets have not."""
    if flags & ~3:
        return -errno.EINVAL
    found = _part(kernel, offset, size)
    if found is None:
        return -errno.EFAULT
    found[:] = raw(data)[:size]
    return 0


def skb_pull(kernel: "FakeKernel", size: int) -> int:
    """skb_pull_data: all is there already."""
    return -errno.ENOMEM if size > len(packet(kernel)) else 0


def xdp_load(kernel: "FakeKernel", offset: int, to: Any, size: int) -> int:
    """xdp_load_bytes."""
    found = _part(kernel, offset, size)
    if found is None:
        return -errno.EINVAL
    raw(to)[:size] = found
    return 0


def xdp_store(kernel: "FakeKernel", offset: int, data: Any, size: int) -> int:
    """xdp_store_bytes."""
    found = _part(kernel, offset, size)
    if found is None:
        return -errno.EINVAL
    found[:] = raw(data)[:size]
    return 0


# --- length -------------------------------------------------------------------------------------------------------


def skb_change_tail(kernel: "FakeKernel", size: int, flags: int) -> int:
    """skb_change_tail: cut, or filled up with zeros."""
    if flags or size < ETHERNET:
        return -errno.EINVAL
    held = packet(kernel)
    held.replace(bytes(held.bytes[:size]).ljust(size, b"\0"))
    return 0


def skb_change_head(kernel: "FakeKernel", size: int, flags: int) -> int:
    """skb_change_head: zeros before the packet."""
    if flags:
        return -errno.EINVAL
    held = packet(kernel)
    held.replace(bytes(size) + held.bytes)
    return 0


def xdp_adjust_head(kernel: "FakeKernel", by: int) -> int:
    """xdp_adjust_head: below 0 room is made, of zeros here."""
    held, by = packet(kernel), signed(by)
    if len(held) - by < ETHERNET or held.headroom + by < 0:
        return -errno.EINVAL
    held.headroom += by
    held.replace(bytes(-by) + held.bytes if by < 0 else held.bytes[by:])
    return 0


def xdp_adjust_tail(kernel: "FakeKernel", by: int) -> int:
    """xdp_adjust_tail: below 0 it is cut, else filled up with zeros."""
    held, by = packet(kernel), signed(by)
    if not ETHERNET <= len(held) + by <= MOST:
        return -errno.EINVAL
    held.replace(held.bytes + bytes(by) if by > 0 else held.bytes[: len(held) + by])
    return 0


def signed(number: int) -> int:
    """An argument of 32 bits, which may have come as another type."""
    low = number & 0xFFFFFFFF
    return low - (1 << 32) if low >> 31 else low


# --- checksums ----------------------------------------------------------------------------------------------------


def folded(total: int) -> int:
    """A sum of 16-bit words in ones' complement."""
    while total >> 16:
        total = (total & FOLDED) + (total >> 16)
    return total


def _words(data: bytes) -> int:
    return sum(int.from_bytes(data[at : at + 2], "little") for at in range(0, len(data), 2))


def csum_diff(
    _kernel: "FakeKernel", old: Any, old_size: int, new: Any, new_size: int, seed: int
) -> int:
    """csum_diff: folded to 16 bits, as since Linux 6.13; before that it may be a longer number of the same sum."""
    if old_size % 4 or new_size % 4 or old_size + new_size > SUMMED:
        return -errno.EINVAL
    gone = bytes(byte ^ 0xFF for byte in _taken(old, old_size))
    return folded(_words(gone) + _words(_taken(new, new_size)) + (seed & 0xFFFFFFFF))


def _taken(memory: Any, size: int) -> bytes:
    """Bytes of memory; of None, none are taken."""
    return b"" if memory is None else bytes(raw(memory)[:size])


def l3_csum_replace(kernel: "FakeKernel", offset: int, old: int, new: int, flags: int) -> int:
    """l3_csum_replace."""
    if flags & ~KEEPS_SUM:
        return -errno.EINVAL
    return _mended(kernel, offset, (old, new), flags)


def l4_csum_replace(kernel: "FakeKernel", offset: int, old: int, new: int, flags: int) -> int:
    """l4_csum_replace; of UDP's 0 stands for no checksum."""
    if flags & ~(KEEPS_SUM | PSEUDO | MANGLES | ENFORCES):
        return -errno.EINVAL
    place = _part(kernel, offset, 2)
    without = place is not None and not offset % 2 and flags & MANGLES and not any(place)
    if without and not flags & ENFORCES:
        return 0
    done = _mended(kernel, offset, (old, new), flags & KEEPS_SUM)
    if done == 0 and place is not None and flags & MANGLES and not any(place):
        place[:] = b"\xff\xff"
    return done


def _mended(kernel: "FakeKernel", offset: int, change: tuple[int, int], size: int) -> int:
    """Mend the checksum at a place, for a change of ``size`` bytes; of size 0 the change is a difference."""
    place = _part(kernel, offset, 2)
    if place is None or offset % 2:
        return -errno.EFAULT
    old, new = change
    if size not in (0, 2, 4) or (size == 0 and old):
        return -errno.EINVAL
    width = 0xFFFF if size == 2 else 0xFFFFFFFF
    total = FOLDED & ~int.from_bytes(place, "little")
    total += _halves(new & width) + (_halves(~old & width) if size else 0)
    place[:] = (FOLDED & ~folded(total)).to_bytes(2, "little")
    return 0


def _halves(number: int) -> int:
    return (number & FOLDED) + (number >> 16)
