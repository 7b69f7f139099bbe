"""``Handle``: a map's descriptor, and what can be done with any map whatever it holds.

A Handle owns its descriptor; the kernel's object lives until the last descriptor, pin, link or program that uses it is
gone. Elements are bytes here: ``maps`` and its neighbours make Python values of them. It knows nothing of programs.
"""

import errno
import mmap
from contextlib import suppress
from typing import ClassVar, Self

from skep.kernel import commands, cpus
from skep.kernel.bpf import DOOR, Door
from skep.kernel.commands import Command, Create, Layout
from skep.kernel.layouts import TYPED, layout_of
from skep.kernel.objects import MapInfo, map_info
from skep.kernel.refusal import refusal, refused
from skep.lang.spec import MapSpec
from skep.lang.special import is_locked

F_LOCK = 4
CHANGES = (Command.MAP_UPDATE, Command.MAP_DELETE)
FULL = (errno.E2BIG, errno.ENOSPC)
"""What an update of a map gives that is full; the second one is that of a map of prefixes."""


class Handle:
    """A map of the kernel. Made by ``create``, or from a descriptor that this object then owns. A context manager.

    ``cpus`` is the number of possible CPUs where the map is per-CPU, else 0; ``value_bytes`` is what the kernel hands
    over for one entry.
    """

    REFUSED: ClassVar[dict[int, str]] = {}
    """What an errno of a change says of this kind of map."""

    def __init__(self, spec: MapSpec, fd: int, *, door: Door = DOOR) -> None:
        self.spec, self.fd, self.door = spec, fd, door
        self.cpus = len(cpus.possible()) if spec.type.per_cpu else 0
        self.slot = -(-spec.value_size // 8) * 8 if self.cpus else spec.value_size
        self.value_bytes = self.slot * (self.cpus or 1)
        self.lock = F_LOCK if is_locked(spec.value) else 0
        self._memory: mmap.mmap | None = None
        self._views: list[memoryview] = []

    @classmethod
    def create(cls, spec: MapSpec, *, layout: Layout | None = None, door: Door = DOOR) -> Self:
        """A new map, empty (an array: zero). The kernel is told its types, so that other tools can print it.

        ``layout`` are its types where they are among those of the programs that use it (``shared_types``).
        """
        return cls(spec, create(spec, door, layout), door=door)

    def info(self) -> MapInfo:
        """What the kernel says of the map."""
        with refused("BPF_OBJ_GET_INFO_BY_FD", self.spec.name, door=self.door):
            return map_info(self.door, self.fd)

    def pin(self, path: str) -> None:
        """Gives the map a name in a bpffs; it then outlives this process."""
        with refused("BPF_OBJ_PIN", path, exclusive=True, door=self.door):
            commands.obj_pin(self.door, path, self.fd)

    def freeze(self) -> None:
        """From now on only programs write to the map (or nobody, where its flags say so)."""
        with refused("BPF_MAP_FREEZE", self.spec.name, door=self.door):
            commands.map_freeze(self.door, self.fd)

    def element(
        self, command: Command, key: bytes, value: bytes | bytearray = b"", flags: int = 0
    ) -> OSError | None:
        """Runs a command on an element; gives the error where there is no such entry."""
        try:
            commands.map_element(self.door, command, self.fd, key, value, flags=flags)
        except OSError as error:
            if error.errno == errno.ENOENT:
                return error
            raise self.refusal(error, command) from error
        return None

    def refusal(self, error: OSError, command: Command) -> Exception:
        """The error to raise for one of a command on an element."""
        call = f"BPF_MAP_{command.name.removeprefix('MAP_')}_ELEM"
        full = error.errno in FULL and command is Command.MAP_UPDATE
        room = f"{self.spec.entries} {'entry' if self.spec.entries == 1 else 'entries'}"
        known = f"the map is full: it is declared for {room}" if full else ""
        detail = self.REFUSED.get(error.errno or 0, known) if command in CHANGES else ""
        return refusal(error, call, self.spec.name, detail=detail, door=self.door)

    @property
    def mapped_bytes(self) -> int:
        """How much of the map can be mapped."""
        each = -(-self.value_bytes // 8) * 8
        return self.spec.value_size if self.spec.entries == 1 else each * self.spec.entries

    def memory(self) -> memoryview:
        """The values of an array made with the MMAPABLE flag, writable, in place; valid until the map is closed."""
        if self._memory is None:
            pages = -(-self.mapped_bytes // mmap.PAGESIZE) * mmap.PAGESIZE
            with refused("mmap", self.spec.name, door=self.door):
                self._memory = self.door.map_memory(self.fd, pages, 0, writable=True)
        view = memoryview(self._memory)[: self.mapped_bytes if self.spec.entries == 1 else None]
        self._views.append(view)
        return view

    def close(self) -> None:
        """Gives the descriptor and the mapping back; views of the memory are void then."""
        if self.fd < 0:
            return
        with suppress(BufferError):  # who still holds a part of the memory keeps it with that part
            for view in self._views:
                view.release()
            if self._memory is not None:
                self._memory.close()
        self._views, self._memory = [], None
        self.door.close(self.fd)
        self.fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        kind = self.spec.type.name
        return f"<{type(self).__name__} {self.spec.name} {kind} of {self.spec.entries}>"


def create(spec: MapSpec, door: Door, types: Layout | None = None) -> int:
    """The descriptor of a new map. The pattern of a map of maps is made for the moment that the kernel looks at it."""
    held: list[int] = []
    try:
        inner = create(spec.inner, door) if spec.inner else 0
        held += [inner] if inner else []
        with refused("BPF_MAP_CREATE", spec.name, door=door):
            layout = types or Layout()
            own = spec.type in TYPED and types is None
            blob, *ids = layout_of(spec.key, spec.value) if own else (b"", 0, 0)
            if blob:
                held.append(commands.btf_load(door, blob))
                layout = Layout(held[-1], *ids)
            sizes = (spec.key_size, spec.value_size)
            made = Create(
                spec.type, *sizes, spec.entries, spec.flags, spec.name, layout, inner, spec.extra
            )
            return commands.map_create(door, made)
    finally:
        for fd in held:
            door.close(fd)
