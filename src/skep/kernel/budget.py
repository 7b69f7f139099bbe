"""Sizes of rings and maps from one budget of memory. Pure arithmetic; nobody is asked.

Kernel memory is what an agent can take most of without being seen, so it is bounded once, as a share
of the machine, and divided by what each part is worth. Per-CPU maps are reckoned with *possible* CPUs.
"""

from collections.abc import Sequence
from typing import NamedTuple

from skep.lang.spec import MapSpec, MapType

SHARE = 0.0025
LEAST = 32 << 20

# Bytes of the kernel's own for each entry, as bpf_map_memory reports on 6.18, rounded up.
_ELEMENT = {
    MapType.HASH: 56,
    MapType.LRU_HASH: 88,
    MapType.PERCPU_HASH: 64,
    MapType.LRU_PERCPU_HASH: 96,
    MapType.LPM_TRIE: 48,
    MapType.STACK_TRACE: 40,
}
_BUCKET = 16


class Want(NamedTuple):
    """A part of the budget: ``weight`` is its share among all, ``unit`` the bytes of one entry.

    Of a ring the unit is 1 byte and the size a power of two. ``least`` and ``most`` count entries.
    """

    name: str
    weight: float
    unit: int = 1
    least: int = 4096
    most: int = 1 << 30
    power_of_two: bool = True


def total(memory: int, share: float = SHARE, least: int = LEAST) -> int:
    """Bytes for all rings and maps of a machine with ``memory`` bytes."""
    return max(int(memory * share), least)


def divide(budget: int, wants: Sequence[Want]) -> dict[str, int]:
    """Entries (of a ring: bytes) by name: each gets its share of ``budget``, within its bounds.

    What one cannot use goes to the others. The sum is at most the budget, unless the smallest sizes
    alone are more: so those who would get too little are served before anybody's surplus is shared.
    """
    granted: dict[str, int] = {}
    left, open_wants = budget, list(wants)
    while open_wants:
        weight = sum(want.weight for want in open_wants)
        share = left / weight
        bounded = [want for want in open_wants if _free(want, share) < want.least] or [
            want for want in open_wants if _free(want, share) > want.most
        ]
        for want in bounded or open_wants:
            granted[want.name] = _fits(want, share)
        left -= sum(granted[want.name] * want.unit for want in bounded)
        left = max(left, 0)
        open_wants = [want for want in open_wants if want not in bounded] if bounded else []
    return {want.name: granted[want.name] for want in wants}


def _free(want: Want, per_weight: float) -> int:
    """The entries of a want that knows no bounds."""
    entries = int(per_weight * want.weight) // want.unit
    return 1 << entries.bit_length() - 1 if want.power_of_two and entries else entries


def _fits(want: Want, per_weight: float) -> int:
    return min(max(_free(want, per_weight), want.least), want.most)


_BYTES = frozenset({MapType.RINGBUF, MapType.USER_RINGBUF})
_PLACES = frozenset(
    {
        MapType.PROG_ARRAY,
        MapType.PERF_EVENT_ARRAY,
        MapType.CGROUP_ARRAY,
        MapType.ARRAY_OF_MAPS,
        MapType.DEVMAP,
        MapType.CPUMAP,
        MapType.XSKMAP,
        MapType.SOCKMAP,
        MapType.REUSEPORT_SOCKARRAY,
    }
)
"""Arrays of pointers to something that is counted elsewhere."""
_VALUES = frozenset({MapType.ARRAY, MapType.QUEUE, MapType.STACK})


def entry_bytes(spec: MapSpec, cpus: int) -> int:
    """About the bytes of kernel memory that one entry of a map takes, buckets included."""
    key, value = _round8(spec.key_size), _round8(spec.value_size)
    if spec.type in _BYTES:
        return 1
    if spec.type in _PLACES:
        return 8
    if spec.type in _VALUES:
        return value
    if spec.type is MapType.BLOOM_FILTER:
        return -(-spec.extra * 7 // 20)  # 1.4 bits for each hash, up to the next power of two
    values = value * cpus if spec.type.per_cpu else value
    return values if spec.type is MapType.PERCPU_ARRAY else key + values + _overhead(spec.type)


def map_bytes(spec: MapSpec, cpus: int) -> int:
    """About the kernel memory of a map, all of it taken at once unless it is not preallocated."""
    return entry_bytes(spec, cpus) * spec.entries


def _overhead(kind: MapType) -> int:
    return _ELEMENT.get(kind, 0) + _BUCKET * (kind is not MapType.LPM_TRIE)


def _round8(size: int) -> int:
    return -(-size // 8) * 8
