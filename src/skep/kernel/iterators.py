"""What an iterator goes over, as the kernel takes it when one is attached: ``union bpf_iter_link_info``."""

import struct
from contextlib import ExitStack

from skep.base.errors import BadInput
from skep.kernel import cgroup_places, commands
from skep.kernel.bpf import Door
from skep.kernel.link import Link
from skep.kernel.place import Place, name_of
from skep.kernel.programs import Program
from skep.kernel.refusal import TRACING, refused

ORDERS = {"self": 1, "down": 2, "down_after": 3, "up": 4}
"""How an iterator over cgroups goes: the one only, it and what is below before or after it, it and what is above."""
OF_MAPS = ("bpf_map_elem", "bpf_sk_storage_map", "sockmap")


def iterator(program: Program, place: Place, door: Door) -> Link:
    """Over all objects, or those of a map (its descriptor), of a cgroup (its directory), of a process."""
    name, kind = name_of(program, place), program.spec.kind.attach_type
    with ExitStack() as stack:
        info = _info(program.spec.target, place, stack)
        stack.enter_context(refused("BPF_LINK_CREATE", name, needs=TRACING, door=door))
        fd = commands.link_create(door, program.fd, 0, kind, extra=commands.pointer(info))
    return Link((fd,), name, door=door)


def _info(target: str, place: Place, stack: ExitStack) -> bytes:
    if target in OF_MAPS:
        if not isinstance(place.target, int):
            raise BadInput("map", f"an iterator over {target} goes over one map", "give the map")
        return struct.pack("<4I", place.target, 0, 0, 0)
    if target == "cgroup":
        order = ORDERS.get(place.mode or "down")
        if order is None or not str(place.target).startswith("/"):
            expected = f"give a directory, and as mode one of {', '.join(ORDERS)}"
            raise BadInput("cgroup", "an iterator over cgroups begins at one", expected)
        opened = stack.enter_context(cgroup_places.opened(str(place.target)))
        return struct.pack("<IIQ", order, opened, 0)
    return struct.pack("<4I", 0, place.pid, 0, 0) if place.pid >= 0 else b""
