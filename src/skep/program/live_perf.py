"""A live perf buffer: its samples as Structs or bytes. It has the shape of a LiveRing."""

from collections.abc import Iterator

from skep.kernel.perf_buffers import PerfReader
from skep.lang.declared.streams import PerfBuffer
from skep.lang.struct import Struct
from skep.program.interruption import looping

FOREVER = 3600.0


class LivePerfBuffer:
    """Samples: iterate over it. ``lost`` counts those that found no room, as far as the kernel has told."""

    def __init__(self, declared: PerfBuffer, reader: PerfReader) -> None:
        self.declared, self.reader = declared, reader

    def __iter__(self) -> Iterator[Struct | bytes]:
        """Samples as they come; waits for the next one. Only ``skep run`` ends it, when its time is over."""
        with looping() as end:
            while not end.come:
                yield from self.poll()
                self.reader.wait(FOREVER, end.fd)

    def poll(self, seconds: float = 0.0) -> Iterator[Struct | bytes]:
        """The samples that are there, after waiting at most ``seconds`` for the first."""
        if seconds:
            self.reader.wait(seconds)
        for _, data in self.reader.read():
            sample = self.declared.carries
            yield data if sample is None else sample.from_bytes(data)

    @property
    def lost(self) -> int:
        """Samples that found no room."""
        return self.reader.lost
