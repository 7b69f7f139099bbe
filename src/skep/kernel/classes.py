"""Which class a live map of each type is: one row a type, imported where it is used. Other types are plain Maps."""

from typing import Any

from skep.base.lazy import lazy
from skep.kernel.handle import Handle
from skep.kernel.maps import Map
from skep.lang.spec import MapType

arenas, handle, nested, perf_buffers, queues, redirects, storages, user_rings = (
    lazy(f"skep.kernel.{name}")
    for name in (
        *("arenas", "handle", "nested", "perf_buffers"),
        *("queues", "redirects", "storages", "user_rings"),
    )
)

CLASSES: dict[MapType, tuple[Any, str]] = {
    MapType.RINGBUF: (handle, "Handle"),
    MapType.PROG_ARRAY: (nested, "Programs"),
    MapType.ARRAY_OF_MAPS: (nested, "MapOfMaps"),
    MapType.HASH_OF_MAPS: (nested, "MapOfMaps"),
    MapType.QUEUE: (queues, "Queue"),
    MapType.STACK: (queues, "Queue"),
    MapType.BLOOM_FILTER: (queues, "Bloom"),
    MapType.PERF_EVENT_ARRAY: (perf_buffers, "PerfEvents"),
    MapType.USER_RINGBUF: (user_rings, "UserRing"),
    MapType.CGROUP_ARRAY: (redirects, "Cgroups"),
    MapType.ARENA: (arenas, "ArenaMemory"),
    MapType.DEVMAP: (redirects, "Devices"),
    MapType.DEVMAP_HASH: (redirects, "Devices"),
    MapType.CPUMAP: (redirects, "Processors"),
    MapType.XSKMAP: (redirects, "Queues"),
    MapType.SOCKMAP: (redirects, "Sockets"),
    MapType.SOCKHASH: (redirects, "Sockets"),
    MapType.REUSEPORT_SOCKARRAY: (redirects, "Sockets"),
    MapType.TASK_STORAGE: (storages, "Storage"),
    MapType.SK_STORAGE: (storages, "Storage"),
    MapType.INODE_STORAGE: (storages, "Storage"),
    MapType.CGRP_STORAGE: (storages, "Storage"),
    MapType.CGROUP_STORAGE: (storages, "Attached"),
    MapType.PERCPU_CGROUP_STORAGE: (storages, "Attached"),
}


def class_of(kind: MapType) -> type[Handle]:
    """The class of a live map of that type."""
    if kind not in CLASSES:
        return Map
    module, name = CLASSES[kind]
    found: type[Handle] = getattr(module, name)
    return found
