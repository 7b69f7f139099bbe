"""What live maps of references have in common: places that may be empty, written one by one.

A reference is a descriptor or number of something else: a map, a device, a CPU, a socket.
"""

from collections.abc import Iterator, Mapping

from skep.kernel.bpf import Buffer
from skep.kernel.maps import Map, Pairs, Value


class References(Map):
    """A map in which only what was put there is an entry, also where its keys are numbers of places."""

    def update(self, entries: Pairs = (), /) -> None:
        """Puts entries in, one after the other; those before one that does not fit are there then."""
        for key, value in entries.items() if isinstance(entries, Mapping | Map) else entries:
            self[key] = value

    def write(self, keys: Buffer, values: Buffer) -> int:
        """Refuses: references do not come as packed values."""
        given = f"{len(keys)} and {len(values)} bytes"
        raise TypeError(f"{self.spec.name} is filled entry by entry, not with {given}")

    def raw_keys(self) -> Iterator[bytes]:
        """The keys under which there is something."""
        return (key for key in super().raw_keys() if self.lookup(key) is not None)

    def clear(self) -> None:
        """Takes everything out."""
        for key in list(self.raw_keys()):
            self.delete(key)

    def __len__(self) -> int:
        """How many places are taken."""
        return sum(1 for _ in self.raw_keys())

    def _refuse_array(self, what: str) -> None:
        """Places can be empty: entries can be deleted, whatever the keys are."""


def descriptor(value: Value, name: str, what: str) -> int:
    """The descriptor of an object that has one, or is one. TypeError."""
    found = value if isinstance(value, int) else getattr(value, "fileno", lambda: None)()
    if not isinstance(found, int) or isinstance(found, bool):
        raise TypeError(f"{name} takes {what}, or their descriptors, not {value!r}")
    return found
