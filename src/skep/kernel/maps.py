"""A live map: created from a spec, or found by a pin; a dict of Python values, and batches for what is large.

A Map owns its descriptor; the kernel's object lives until the last descriptor, pin, link or program that uses it is
gone. Keys and values are converted by ``skep.lang.struct``. Single lookups cost about 5 us each and are for small maps
and tests; the hot way is a batch into numpy. It knows nothing of programs.
"""

import errno
import mmap
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Self

from skep.base.errors import Conflict
from skep.kernel import commands, cpus
from skep.kernel.batches import Batches
from skep.kernel.bpf import DOOR, Buffer, Door
from skep.kernel.commands import Batch, Command, Create, Layout
from skep.kernel.layouts import layout_of
from skep.kernel.objects import MapInfo, map_info
from skep.kernel.refusal import refusal, refused
from skep.lang.spec import MapSpec, MapType
from skep.lang.struct import pack, unpack

Value = Any
"""A value of the language: int, str, list or Struct; of a per-CPU map a list of them."""

ANY, NOEXIST, EXIST = 0, 1, 2
_MAX_BATCH = 1 << 16
_INDEXED = (MapType.ARRAY, MapType.PERCPU_ARRAY)
_OPAQUE = (
    MapType.RINGBUF,
    MapType.PROG_ARRAY,
    MapType.STACK_TRACE,
)  # without BTF: the kernel takes none


class Map:
    """``with Map.create(spec) as m: m[key] = value``: a map of the kernel as a mutable mapping.

    A value is an int, str, list or Struct, as its type says; of a per-CPU map a list, one for each possible CPU.
    Made by ``create``, ``pinned`` or from a descriptor that this object then owns. ``cpus`` is the number of possible
    CPUs where the map is per-CPU, else 0; ``value_bytes`` is what the kernel hands over for one entry.
    """

    def __init__(self, spec: MapSpec, fd: int, *, door: Door = DOOR) -> None:
        self.spec, self.fd, self._door = spec, fd, door
        self.cpus = len(cpus.possible()) if spec.type.per_cpu else 0
        self._slot = -(-spec.value_size // 8) * 8 if self.cpus else spec.value_size
        self.value_bytes = self._slot * (self.cpus or 1)
        self._memory: mmap.mmap | None = None
        self._views: list[memoryview] = []

    @classmethod
    def create(cls, spec: MapSpec, *, door: Door = DOOR) -> Self:
        """A new map, empty (an array: zero). The kernel is told its types, so that other tools can print it."""
        blob, key_id, value_id = (
            (b"", 0, 0) if spec.type in _OPAQUE else layout_of(spec.key, spec.value)
        )
        with refused("BPF_MAP_CREATE", spec.name, door=door):
            layout = Layout()
            try:
                if blob:
                    layout = Layout(commands.btf_load(door, blob), key_id, value_id)
                fd = _create(spec, layout, door)
            finally:
                if layout.btf_fd:
                    door.close(layout.btf_fd)
        return cls(spec, fd, door=door)

    @classmethod
    def pinned(cls, spec: MapSpec, path: str, *, door: Door = DOOR) -> Self:
        """The map that is pinned at ``path``; Conflict where its type, sizes or entries are not those of ``spec``."""
        with refused("BPF_OBJ_GET", path, door=door):
            fd = commands.obj_get(door, path)
        found = cls(spec, fd, door=door)
        difference = found.difference()
        if difference:
            found.close()
            raise Conflict(
                f"the pin {path} of map {spec.name}", f"a map of another layout ({difference})"
            )
        return found

    def difference(self) -> str:
        """In what the live map differs from its spec; "" where it does not."""
        live, (key, value) = self.info(), _sizes(self.spec)
        compared = (
            ("type", live.type, int(self.spec.type)),
            ("key size", live.key_size, key),
            ("value size", live.value_size, value),
            ("entries", live.entries, self.spec.entries),
        )
        return ", ".join(
            f"{what} {has} instead of {wants}" for what, has, wants in compared if has != wants
        )

    def info(self) -> MapInfo:
        """What the kernel says of the map."""
        with refused("BPF_OBJ_GET_INFO_BY_FD", self.spec.name, door=self._door):
            return map_info(self._door, self.fd)

    def pin(self, path: str) -> None:
        """Gives the map a name in a bpffs; it then outlives this process."""
        with refused("BPF_OBJ_PIN", path, exclusive=True, door=self._door):
            commands.obj_pin(self._door, path, self.fd)

    def freeze(self) -> None:
        """From now on only programs write to the map (or nobody, where its flags say so)."""
        with refused("BPF_MAP_FREEZE", self.spec.name, door=self._door):
            commands.map_freeze(self._door, self.fd)

    def __getitem__(self, key: Value) -> Value:
        found = self.lookup(pack(self.spec.key, key))
        if found is None:
            raise KeyError(key)
        return self.unpack_value(found)

    def __setitem__(self, key: Value, value: Value) -> None:
        self.update(pack(self.spec.key, key), self.pack_value(value))

    def __delitem__(self, key: Value) -> None:
        if not self.delete(pack(self.spec.key, key)):
            raise KeyError(key)

    def __contains__(self, key: Value) -> bool:
        return self.lookup(pack(self.spec.key, key)) is not None

    def __iter__(self) -> Iterator[Value]:
        return (unpack(self.spec.key, key) for key in self.raw_keys())

    def __len__(self) -> int:
        """Entries that are there; of an array all. It walks the keys: for small maps."""
        return self.spec.entries if self.spec.type in _INDEXED else sum(1 for _ in self.raw_keys())

    def __bool__(self) -> bool:
        return True

    def keys(self) -> Iterator[Value]:
        """The keys; those of a map that changes meanwhile may be missed or seen twice."""
        return iter(self)

    def values(self) -> Iterator[Value]:
        """The values."""
        return (value for _, value in self.items())

    def items(self) -> Iterator[tuple[Value, Value]]:
        """Pairs of key and value; an entry that is deleted meanwhile is left out."""
        for key in self.raw_keys():
            found = self.lookup(key)
            if found is not None:
                yield unpack(self.spec.key, key), self.unpack_value(found)

    def get(self, key: Value, default: Value = None) -> Value:
        """The value of a key, else ``default``."""
        found = self.lookup(pack(self.spec.key, key))
        return default if found is None else self.unpack_value(found)

    def clear(self) -> None:
        """Deletes all entries; of an array, sets them to zero."""
        for key in list(self.raw_keys()):
            if self.spec.type in _INDEXED:
                self.update(key, bytes(self.value_bytes))
            else:
                self.delete(key)

    def lookup(self, key: bytes) -> bytes | None:
        """The bytes of a value (``value_bytes`` of them: all CPUs' slots), None where there is no such key."""
        value = bytearray(self.value_bytes)
        if self._element(Command.MAP_LOOKUP, key, value) is not None:
            return None
        return bytes(value)

    def take(self, key: bytes) -> bytes | None:
        """Looks up and deletes at once (hash maps since Linux 5.14)."""
        value = bytearray(self.value_bytes)
        if self._element(Command.MAP_LOOKUP_AND_DELETE, key, value) is not None:
            return None
        return bytes(value)

    def update(self, key: bytes, value: bytes, flags: int = ANY) -> None:
        """Writes an entry. KernelError [E2BIG] where the map is full, [EEXIST] and [ENOENT] by NOEXIST and EXIST."""
        missing = self._element(Command.MAP_UPDATE, key, value, flags)
        if missing is not None:
            raise refusal(
                missing, "BPF_MAP_UPDATE_ELEM", self.spec.name, door=self._door
            ) from missing

    def delete(self, key: bytes) -> bool:
        """Whether the entry was there."""
        return self._element(Command.MAP_DELETE, key) is None

    def raw_keys(self) -> Iterator[bytes]:
        """The keys as bytes."""
        after, key = b"", bytearray(self.spec.key_size)
        while self._element(Command.MAP_NEXT_KEY, after, key) is None:
            after = bytes(key)
            yield after

    def _element(
        self, command: Command, key: bytes, value: bytes | bytearray = b"", flags: int = 0
    ) -> OSError | None:
        """Runs a command on an element; gives the error where there is no such entry."""
        try:
            commands.map_element(self._door, command, self.fd, key, value, flags=flags)
        except OSError as error:
            if error.errno == errno.ENOENT:
                return error
            call = f"BPF_MAP_{command.name.removeprefix('MAP_')}_ELEM"
            raise refusal(error, call, self.spec.name, door=self._door) from error
        return None

    def pack_value(self, value: Value) -> bytes:
        """The bytes of a value; of a per-CPU map a list with one for each possible CPU."""
        if not self.cpus:
            return pack(self.spec.value, value)
        if len(value) != self.cpus:
            raise ValueError(
                f"{self.spec.name} takes {self.cpus} values, one for each CPU, not {len(value)}"
            )
        return b"".join(pack(self.spec.value, one).ljust(self._slot, b"\0") for one in value)

    def unpack_value(self, data: bytes | memoryview) -> Value:
        """The value in ``value_bytes`` bytes."""
        if not self.cpus:
            return unpack(self.spec.value, data)
        return [unpack(self.spec.value, data[cpu * self._slot :]) for cpu in range(self.cpus)]

    def batches(self, size: int = 4096, *, take: bool = False) -> Batches:
        """Arrays of keys and values, ``size`` entries at a time; ``take`` deletes what it reads. See Batches."""
        return Batches(self, min(size, self.spec.entries, _MAX_BATCH), take=take, door=self._door)

    def write(self, keys: Buffer, values: Buffer) -> int:
        """Writes many packed entries at once (Linux 5.6); gives how many. Full: KernelError [E2BIG]."""
        batch = Batch(keys, values, len(keys) // self.spec.key_size, bytearray(8))
        done, code = commands.map_batch(self._door, Command.MAP_UPDATE_BATCH, self.fd, batch)
        if code:
            error = OSError(code, "")
            raise refusal(error, "BPF_MAP_UPDATE_BATCH", self.spec.name, door=self._door)
        return done

    def memory(self) -> memoryview:
        """The values of an array made with the MMAPABLE flag, writable, in place; valid until the map is closed."""
        if self._memory is None:
            length = -(-self.value_bytes // 8) * 8 * self.spec.entries
            pages = -(-length // mmap.PAGESIZE) * mmap.PAGESIZE
            with refused("mmap", self.spec.name, door=self._door):
                self._memory = self._door.map_memory(self.fd, pages, 0, writable=True)
        view = memoryview(self._memory)[: self.spec.value_size if self.spec.entries == 1 else None]
        self._views.append(view)
        return view

    def close(self) -> None:
        """Gives the descriptor and the mapping back; views of the memory are void then."""
        if self.fd < 0:
            return
        with suppress(
            BufferError
        ):  # somebody still holds a part of the memory: it goes with that part
            for view in self._views:
                view.release()
            if self._memory is not None:
                self._memory.close()
        self._views, self._memory = [], None
        self._door.close(self.fd)
        self.fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Map {self.spec.name} {self.spec.type.name} of {self.spec.entries}>"


def _create(spec: MapSpec, layout: Layout, door: Door) -> int:
    sizes = _sizes(spec)
    return commands.map_create(
        door, Create(spec.type, *sizes, spec.entries, spec.flags, spec.name, layout)
    )


def _sizes(spec: MapSpec) -> tuple[int, int]:
    """Key and value size as the kernel wants them: a program array holds descriptors."""
    return (4, 4) if spec.type is MapType.PROG_ARRAY else (spec.key_size, spec.value_size)
