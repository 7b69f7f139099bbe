"""A fake LPM map. Its keys are prefixes: what stands behind the first bits of one tells it from no other."""

import errno

from skep.lang.plain.maps import FakeMap

LENGTH = 4
"""Bytes of the number of bits, before the prefix itself."""


class FakeTrie(FakeMap):
    """A map of prefixes, of which a lookup finds the longest that the key begins with."""

    def entry(self, key: bytes) -> list[bytearray] | None:
        """The copies of the longest prefix that the key begins with."""
        if self.refuses(key):
            return None
        bits = _bits(key)
        found = [one for one in self._entries if _bits(one) <= bits and _begin(key, one)]
        return self._entries[max(found, key=_bits)] if found else None

    def holds(self, key: bytes) -> bool:
        """Whether this very prefix is there."""
        return self._same(key) is not None

    def make(self, key: bytes) -> list[bytearray] | None:
        """The copies of a prefix, which is written as it was last; None where there is no room."""
        same = self._same(key)
        if same is not None:
            self._entries[key] = self._entries.pop(same)
        return super().make(key)

    def take(self, key: bytes) -> list[bytearray] | None:
        """Take a prefix out."""
        same = self._same(key)
        return None if same is None else super().take(same)

    @property
    def full(self) -> int:
        """What an update gives where there is no room."""
        return -errno.ENOSPC

    def refuses(self, key: bytes) -> int:
        """What an update gives of a prefix that is longer than an address; else 0."""
        return -errno.EINVAL if _bits(key) > 8 * (len(key) - LENGTH) else 0

    def fixed(self, key: bytes) -> int:
        """What a deletion gives of such a one."""
        return self.refuses(key)

    def _same(self, key: bytes) -> bytes | None:
        """The key of the same prefix, as it was written."""
        bits = _bits(key)
        return next((one for one in self._entries if _bits(one) == bits and _begin(key, one)), None)


def _bits(key: bytes) -> int:
    return int.from_bytes(key[:LENGTH], "little")


def _begin(key: bytes, prefix: bytes) -> bool:
    """Whether the address of a key begins with a prefix."""
    beside = 8 * (len(key) - LENGTH) - _bits(prefix)
    address, start = (int.from_bytes(one[LENGTH:], "big") for one in (key, prefix))
    return address >> beside == start >> beside
