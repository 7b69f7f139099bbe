"""Queues, stacks and bloom filters of the fake kernel."""

import pytest

from skep.base.errors import KernelError
from skep.kernel.queues import Bloom, Queue
from skep.lang.spec import MapSpec, MapType
from skep.lang.types import u32
from skep.testing.door import FakeDoor
from tests.unit.kernel.samples import Value


@pytest.fixture
def door() -> FakeDoor:
    return FakeDoor()


@pytest.mark.parametrize(
    ("kind", "order"), [(MapType.QUEUE, [1, 2, 3]), (MapType.STACK, [3, 2, 1])]
)
def test_values_come_out_in_their_order(door: FakeDoor, kind: MapType, order: list[int]) -> None:
    queue = Queue.create(MapSpec("q", kind, None, Value, 3), door=door)
    for n in (1, 2, 3):
        queue.push(Value(n))
    assert queue.peek() == queue.pop() == Value(order[0])
    assert [value.packets for value in queue] == order[1:]


def test_an_empty_queue_and_a_full_one_say_so(door: FakeDoor) -> None:
    queue = Queue.create(MapSpec("q", MapType.QUEUE, None, u32, 2), door=door)
    for read in (queue.pop, queue.peek):
        with pytest.raises(IndexError, match=r"an empty queue \(q\)"):
            read()
    queue.push(1)
    queue.push(2)
    with pytest.raises(
        KernelError, match=r"E2BIG\] \(the map is full: it is declared for 2 entries"
    ):
        queue.push(3)
    queue.push(3, drop_oldest=True)
    assert list(queue) == [2, 3]


def test_what_does_not_fit_is_not_pushed(door: FakeDoor) -> None:
    queue = Queue.create(MapSpec("q", MapType.QUEUE, None, u32, 2), door=door)
    with pytest.raises(ValueError, match="q: value is a u32"):
        queue.push(-1)
    queue.push(1)
    queue.clear()
    assert list(queue) == []


def test_a_bloom_filter_finds_what_was_added(door: FakeDoor) -> None:
    seen = Bloom.create(MapSpec("b", MapType.BLOOM_FILTER, None, u32, 100, extra=3), door=door)
    seen.add(5)
    assert (5 in seen, 6 in seen) == (True, False)
    with pytest.raises(TypeError, match="b: value is a u32"):
        seen.add("5")
