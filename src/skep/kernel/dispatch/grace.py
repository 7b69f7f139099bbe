"""Waiting until no program runs any more that began before: what it may still jump to can be taken away then."""

import struct

from skep.kernel import commands
from skep.kernel.bpf import Door
from skep.kernel.commands import Command, Create
from skep.kernel.refusal import refused

_ARRAY, _ARRAY_OF_MAPS = 2, 12
_FIRST = bytes(4)


def wait(door: Door) -> None:
    """Returns when every program that was running has ended, but sleepable ones.

    The kernel waits for them before an update of a map of maps returns (since Linux 4.18, commit 1ae80cf31938), so that
    its user may reuse the old inner map: one is made for that and updated.
    """
    inner = outer = -1
    try:
        with refused("BPF_MAP_CREATE", "skep_grace", door=door):
            inner = commands.map_create(door, Create(_ARRAY, 4, 4, 1, name="skep_grace"))
            made = Create(_ARRAY_OF_MAPS, 4, 4, 1, name="skep_grace", inner_fd=inner)
            outer = commands.map_create(door, made)
        with refused("BPF_MAP_UPDATE_ELEM", "skep_grace", door=door):
            commands.map_element(door, Command.MAP_UPDATE, outer, _FIRST, struct.pack("<I", inner))
    finally:
        for fd in (inner, outer):
            if fd >= 0:
                door.close(fd)
