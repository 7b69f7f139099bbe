"""How sockets take programs: a socket's own filter, a group's choice, and maps of sockets.

These places are no links: what is attached goes with the socket or the map. An attachment does not hold its socket
open; where that was closed before, a group of sockets keeps its program.
Source: include/uapi/asm-generic/socket.h.
"""

import os
import struct
from typing import TYPE_CHECKING

from skep.base.errors import BadInput
from skep.base.lazy import lazy
from skep.kernel import commands
from skep.kernel.attachment import Attachment
from skep.kernel.bpf import Door
from skep.kernel.place import Place, name_of
from skep.kernel.programs import Program
from skep.kernel.refusal import NETWORK, refused

if TYPE_CHECKING:
    import socket
else:
    socket = lazy("socket")

_SOCKET_FILTER = 1
# By program type: SO_ATTACH_BPF and SO_DETACH_BPF, SO_ATTACH_REUSEPORT_EBPF and SO_DETACH_REUSEPORT_BPF.
_OPTIONS = {_SOCKET_FILTER: (50, 27), 21: (52, 68)}


def filtered(program: Program, place: Place, door: Door) -> Attachment:
    """On a socket, by its descriptor."""
    if not isinstance(place.target, int):
        raise BadInput(
            "socket", f"{program.spec.kind.name} is attached to a socket", "give the socket"
        )
    name = name_of(program, place)
    attach, detach = _OPTIONS[program.spec.kind.prog_type]
    fd = place.target
    with refused("setsockopt", name, needs=NETWORK, door=door):
        same = os.fstat(fd).st_ino
        _set(fd, attach, struct.pack("<i", program.fd))

    def undo() -> None:
        if os.fstat(fd).st_ino == same:  # the number may be another file's by now
            _set(fd, detach, 0)

    return Attachment(name, undo)


def _set(fd: int, option: int, value: int | bytes) -> None:
    with socket.socket(fileno=os.dup(fd)) as one:
        one.setsockopt(socket.SOL_SOCKET, option, value)


def mapped(program: Program, place: Place, door: Door) -> Attachment:
    """On the sockets of a map, by its descriptor: those that are in it, and those that come."""
    if not isinstance(place.target, int):
        problem = f"{program.spec.kind.name} is attached to a map of sockets"
        raise BadInput("map", problem, "give the map")
    name, kind = name_of(program, place), program.spec.kind.attach_type
    with refused("BPF_PROG_ATTACH", name, needs=NETWORK, exclusive=True, door=door):
        commands.prog_attach(door, program.fd, place.target, kind)
        held, own = os.dup(place.target), os.dup(program.fd)

    def undo() -> None:
        try:
            commands.prog_detach(door, own, held, kind)
        finally:
            os.close(held)
            os.close(own)

    return Attachment(name, undo)
