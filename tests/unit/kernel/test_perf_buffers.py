"""A perf buffer whose memory cannot be had leaves nothing open. Reading them takes a kernel (tests/kernel)."""

import struct

import pytest

from skep.kernel.perf_buffers import PerfBuffer
from skep.testing.door import FakeDoor
from skep.testing.fake_objects import FakeBlob


class Door(FakeDoor):
    """Remembers the events that were opened."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[bytes, int, int]] = []

    def perf_event_open(self, attr: bytes, pid: int, cpu: int) -> int:
        self.asked.append((attr, pid, cpu))
        return super().perf_event_open(attr, pid, cpu)


def test_an_event_of_output_is_asked_for_and_closed_where_its_memory_cannot_be_had() -> None:
    door = Door()
    with pytest.raises(OSError, match=r"Invalid argument|Bad file"):
        PerfBuffer(3, 8, door)
    ((attr, pid, cpu),) = door.asked
    assert (pid, cpu, len(attr)) == (-1, 3, 112)
    kind, size, config, period, sample, _, flags, wakeup = struct.unpack_from("<IIQQQQQI", attr)
    assert (kind, size, config, period, sample, flags, wakeup) == (1, 112, 10, 1, 1 << 10, 0, 1)
    assert door.of(FakeBlob) == []
