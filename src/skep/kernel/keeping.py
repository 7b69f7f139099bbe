"""What keeps an object of the kernel besides processes: names in a bpffs, and the programs that use a map.

Read by descriptor, and no descriptor is kept. File systems of other mount namespaces are not seen.
"""

import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from skep.kernel import commands
from skep.kernel.bpf import DOOR, Door, address
from skep.kernel.commands import Command
from skep.kernel.objects import PROGRAM_SIZE, each
from skep.kernel.pins import mounts_of
from skep.kernel.stats import described

_ID, _COUNT, _POINTER = 4, 52, 56
"""Where struct bpf_prog_info has the id of a program, the number of its maps, and the address for their ids."""


class Pin(NamedTuple):
    """A name of an object; ``kind`` is prog, map or link."""

    kind: str
    id: int
    path: str


def pins(door: Door = DOOR, mounts: Sequence[str] | None = None) -> list[Pin]:
    """The pins in all file systems for them that are mounted here; what may not be opened is left out."""
    found: list[Pin] = []
    for path in _files(mounts_of("bpf") if mounts is None else mounts):
        with suppress(OSError):
            fd = commands.obj_get(door, path)
            try:
                known = described(fd)
            finally:
                door.close(fd)
            if known is not None:
                found.append(Pin(*known, path))
    return found


def _files(folders: Sequence[str]) -> Iterator[str]:
    """The files below folders, each once: one file system may be mounted at several places."""
    seen: set[tuple[int, int]] = set()
    for folder in folders:
        for at, _, names in os.walk(folder):
            for path in (f"{at}/{name}" for name in sorted(names)):
                with suppress(OSError):
                    status = os.stat(path)
                    known = (status.st_dev, status.st_ino) in seen
                    seen.add((status.st_dev, status.st_ino))
                    if not known:
                        yield path


def maps_by_program(door: Door = DOOR) -> dict[int, tuple[int, ...]]:
    """The ids of the maps that each program uses, by the program's id. Needs CAP_SYS_ADMIN."""
    return dict(each(door, Command.PROG_NEXT_ID, Command.PROG_BY_ID, _maps))


def _maps(door: Door, fd: int) -> tuple[int, tuple[int, ...]]:
    """The id of a program, and those of its maps."""
    info = commands.info(door, fd, PROGRAM_SIZE)
    (number,), (count,) = (struct.unpack_from("<I", info, at) for at in (_ID, _COUNT))
    numbers, about = bytearray(4 * count), bytearray(PROGRAM_SIZE)
    struct.pack_into("<I", about, _COUNT, count)
    struct.pack_into("<Q", about, _POINTER, address(numbers))
    commands.info_into(door, fd, about)
    return number, struct.unpack(f"<{count}I", numbers)
