"""Perf buffers: a ring for each CPU that programs write to by ``bpf_perf_event_output``, read from mapped memory.

A PerfReader owns the perf events and their mappings. The kernel counts what found no room, and tells of it in the
stream itself. Samples of one CPU come in their order, those of several CPUs CPU by CPU.

Source: struct perf_event_mmap_page and PERF_RECORD_* in include/uapi/linux/perf_event.h.
"""

import mmap
import select
import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import Self

from skep.kernel import cpus, perf
from skep.kernel.bpf import DOOR, Door
from skep.kernel.commands import Command, Layout
from skep.kernel.handle import Handle
from skep.kernel.refusal import TRACING, refused
from skep.kernel.rings import sleep
from skep.lang.spec import MapSpec

_HEAD, _TAIL = 1024 // 8, 1032 // 8
_RECORD = struct.Struct("<IHH")
_SAMPLE, _LOST = 9, 2
_U32, _LOSS = struct.Struct("<I"), struct.Struct("<QQ")


class PerfEvents(Handle):
    """The array of perf events, one for each possible CPU."""

    @classmethod
    def create(cls, spec: MapSpec, *, layout: Layout | None = None, door: Door = DOOR) -> Self:
        """A new array, with a place for each CPU."""
        all_of_them = replace(spec, entries=max(cpus.possible()) + 1)
        return super().create(all_of_them, layout=layout, door=door)


class PerfBuffer:
    """The buffer of one CPU, of ``pages`` pages."""

    def __init__(self, cpu: int, pages: int, door: Door) -> None:
        self.cpu, self._door = cpu, door
        self._size = pages * mmap.PAGESIZE
        self.fd = perf.open_output(door, cpu)
        try:
            self._memory = door.map_memory(self.fd, mmap.PAGESIZE + self._size, 0, writable=True)
        except BaseException:
            door.close(self.fd)
            raise
        self._positions = memoryview(self._memory)[: mmap.PAGESIZE].cast("Q")
        self._data = memoryview(self._memory)[mmap.PAGESIZE :]

    def records(self) -> Iterator[tuple[int, bytes]]:
        """Kind and body of the records that are there; each gives its space back at the next step."""
        tail, head = self._positions[_TAIL], self._positions[_HEAD]
        while tail < head:
            kind, _, size = _RECORD.unpack(self._bytes(tail, _RECORD.size))
            yield kind, self._bytes(tail + _RECORD.size, size - _RECORD.size)
            tail += size
            self._positions[_TAIL] = tail

    def _bytes(self, position: int, size: int) -> bytes:
        at = position & (self._size - 1)
        first = bytes(self._data[at : at + size])
        return first + bytes(self._data[: size - len(first)])

    def close(self) -> None:
        """Gives memory and descriptor back."""
        self._positions.release()
        self._data.release()
        self._memory.close()
        self._door.close(self.fd)


class PerfReader:
    """The buffers of all CPUs that are online; ``lost`` counts samples that found no room. A context manager."""

    def __init__(self, events: Handle, pages: int, *, door: Door = DOOR) -> None:
        self.lost = 0
        self._buffers: list[PerfBuffer] = []
        self._poll = select.epoll()
        try:
            for cpu in cpus.online():
                self._open(events, cpu, pages, door)
        except BaseException:
            self.close()
            raise

    def _open(self, events: Handle, cpu: int, pages: int, door: Door) -> None:
        with refused("perf_event_open", events.spec.name, needs=TRACING, door=door):
            made = PerfBuffer(cpu, pages, door)
        self._buffers.append(made)
        events.element(Command.MAP_UPDATE, _U32.pack(cpu), _U32.pack(made.fd))
        perf.enable(door, made.fd)
        self._poll.register(made.fd, select.EPOLLIN)

    def read(self) -> Iterator[tuple[int, bytes]]:
        """CPU and bytes of the samples that are there; the bytes are padded to 4 more than a multiple of 8."""
        for buffer in self._buffers:
            for kind, body in buffer.records():
                if kind == _SAMPLE:
                    (size,) = _U32.unpack_from(body)
                    yield buffer.cpu, body[_U32.size : _U32.size + size]
                elif kind == _LOST:
                    self.lost += _LOSS.unpack_from(body)[1]

    def fileno(self) -> int:
        """A descriptor that is readable when there are samples."""
        return self._poll.fileno()

    def wait(self, seconds: float, also: int = -1) -> bool:
        """Sleeps until a sample arrives, the time is over, or ``also`` is readable; whether there is a sample."""
        return sleep(self._poll, seconds, also)

    def close(self) -> None:
        """Gives everything back."""
        self._poll.close()
        for buffer in self._buffers:
            buffer.close()
        self._buffers = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
