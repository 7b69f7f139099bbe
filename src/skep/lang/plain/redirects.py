"""Fake maps of places where packets and data go: any object may stand for a device or socket.

``sent`` has the key of each redirect that found something, in order.
"""

import errno
from typing import Any

from skep.lang.declared.redirects import Redirect
from skep.lang.maps import Declaration
from skep.lang.plain.memory import encoded, pointer
from skep.lang.plain.numbers import gives
from skep.lang.struct import StructType, unpack
from skep.lang.types import s32

XDP_REDIRECT, PASS, DROP, ABSENT = 4, 1, 0, -errno.ENOENT


class FakeRedirects(dict[Any, Any]):
    """What stands under a key, as a test puts it there."""

    def __init__(self, declared: Declaration) -> None:
        super().__init__()
        self.declared = declared
        self.sent: list[Any] = []

    def _key(self, key: Any) -> Any:
        return unpack(self.declared.key, encoded(self.declared.key, key))

    def __contains__(self, key: object) -> bool:
        return super().__contains__(self._key(key))

    def lookup(self, key: Any) -> Any:
        """The value of a key, or None: a Struct in place, of a map of sockets what stands for the socket."""
        if key not in self:
            return None
        kind, found = self.declared.value, self[self._key(key)]
        if not isinstance(kind, StructType):
            return found
        return pointer(kind, memoryview(bytearray(encoded(kind, found))))

    @gives(s32)
    def redirect(self, *given: Any) -> int:
        """As a program calls it: with key and what else to do, or with context, key and flags."""
        packets = isinstance(self.declared, Redirect)
        key = self._key(given[0 if packets else 1])
        if key in self:
            self.sent.append(key)
            return XDP_REDIRECT if packets else PASS
        return int(given[1]) & 3 if packets and len(given) > 1 else DROP

    @gives(s32)
    def select(self, _context: Any, key: Any) -> int:
        """A socket of the group gets the packet; 0, or a negative error number."""
        found = self._key(key) in self
        if found:
            self.sent.append(self._key(key))
        return 0 if found else ABSENT

    @gives(s32)
    def assign(self, _context: Any, key: Any, _flags: int = 0) -> int:
        """The socket of a key gets the packet; 0, or a negative error number."""
        return self.select(_context, key)

    @gives(s32)
    def update(self, context: Any, key: Any, _flags: int = 0) -> int:  # type: ignore[override]  # as a program calls it
        """The socket of a context under a key."""
        self[self._key(key)] = context
        return 0

    @gives(s32)
    def delete(self, key: Any) -> int:
        """Forget what stands under a key; 0, or a negative error number."""
        return ABSENT if self.pop(self._key(key), None) is None else 0
