"""The ring of messages in shared memory: whole, in order, bounded, and robust against nonsense."""

import os
from collections import deque
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep.events.arena import Arena, create
from tests.unit.events.synthetic import PATIENT


def padded(data: bytes) -> bytes:
    """What the reader sees of a body."""
    return data.ljust(-(-len(data) // 8) * 8, b"\0")


@pytest.fixture
def arena() -> Iterator[Arena]:
    fd = create(4096)
    made = Arena(fd)
    yield made
    made.close()
    os.close(fd)


@PATIENT
@given(st.lists(st.one_of(st.binary(max_size=900), st.none()), max_size=60))
def test_what_was_accepted_comes_out_whole_and_in_order(steps: list[bytes | None]) -> None:
    fd = create(4096)
    writer, reader = Arena(fd), Arena(fd)
    expected: deque[bytes] = deque()
    for step in steps:
        if step is None:
            assert reader.read() == ((1, expected.popleft()) if expected else None)
        elif writer.write(1, step):
            expected.append(padded(step))
        else:
            assert expected, "an empty ring has room for any message of the longest size"
    while expected:
        taken = reader.read()
        assert taken is not None
        assert taken == (1, expected.popleft())
    assert reader.read() is None
    assert writer.used == 0
    writer.close()
    reader.close()
    os.close(fd)


def test_the_longest_message_fits_wherever_the_ring_stands(arena: Arena) -> None:
    longest = padded(b"\1" * (arena.longest // 8 * 8))
    for _ in range(50):
        assert arena.write(2, longest)
        assert arena.read() == (2, longest)
        assert arena.write(2, longest[:24])
        assert arena.read() == (2, longest[:24])


def test_a_full_ring_refuses_and_keeps_what_it_has(arena: Arena) -> None:
    count = 0
    while arena.write(1, bytes([count]) * 500):
        count += 1
    assert count == 4096 // 512
    assert [arena.read() for _ in range(count)] == [
        (1, padded(bytes([n]) * 500)) for n in range(count)
    ]


def test_what_is_skipped_at_the_end_counts_as_used(arena: Arena) -> None:
    for filler in (b"a", b"b", b"c"):
        assert arena.write(1, filler * 1000)
    assert arena.read() == (1, b"a" * 1000)
    assert arena.write(1, b"d" * 1000)
    assert not arena.write(1, b"e" * 1008), "64 bytes of the 1072 that are free lie at the end"
    assert arena.write(1, b"f" * 1000)
    assert [arena.read() for _ in range(5)] == [*((1, bytes([x]) * 1000) for x in b"bcdf"), None]


def test_an_unfinished_message_is_not_seen(arena: Arena) -> None:
    arena.write(1, b"finished")
    arena._data[16:100] = b"\xee" * 84  # as far as a writer came that was killed
    assert arena.read() == (1, b"finished")
    assert arena.read() is None
    assert arena.write(3, bytes(8))
    assert arena.read() == (3, bytes(8))


@pytest.mark.parametrize("length", [0, 4, 12, 4096 + 8, 2**32 - 8])
def test_nonsense_is_reported_once_and_left_behind(arena: Arena, length: int) -> None:
    arena.write(1, bytes(8))
    arena._data[:4] = length.to_bytes(4, "little")
    with pytest.raises(ValueError, match=f"a message of {length} bytes"):
        arena.read()
    assert arena.read() is None
    assert arena.write(1, b"\1" * 8)
    assert arena.read() == (1, b"\1" * 8)


def test_its_size_cannot_be_changed_under_the_other_side() -> None:
    fd = create(4096)
    with pytest.raises(PermissionError):
        os.ftruncate(fd, 0)
    os.close(fd)
