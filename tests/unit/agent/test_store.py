"""What is kept of the events, and for how long."""

import pytest

from skep.agent.store import OVERHEAD, POINTER, Bounds, Part, Pulse, Store, pulse
from tests.unit.agent.samples import execs

PLENTY = Bounds(bytes=1 << 30, events=1 << 30, age=1 << 60)


def add(store: Store, *times: int) -> Pulse:
    new = pulse(store.next, [execs(*times)], 0)
    store.add(new)
    return new


def test_a_pulse_knows_its_size_and_its_newest_time() -> None:
    found = pulse(4, [execs(10, 30, 20), execs(5)], 77, named=1000)
    assert (found.serial, found.newest, found.rows, found.offset) == (4, 30, 4, 77)
    assert 2 * OVERHEAD + 4 * 200 + 1000 < found.bytes < 2 * OVERHEAD + 4 * 300 + 1000


def test_a_part_is_as_large_as_its_columns_and_what_points_to_who_did_it() -> None:
    many = execs(*range(50))
    assert many.bytes - Part(many.batch).bytes == 50 * POINTER


def test_a_part_is_cut_with_who_did_it() -> None:
    cut = list(execs(1, 2, 3, 4, 5).cut(2))
    assert [some.batch["time"].tolist() for some in cut] == [[1, 2], [3, 4], [5]]
    assert [len(some.who or ()) for some in cut] == [2, 2, 1]
    assert [some.who for some in Part(execs(1).batch).cut(2)] == [None]


def test_pulses_are_found_by_serial() -> None:
    store = Store(PLENTY)
    kept = [add(store, 1), add(store, 2)]
    assert [store.get(0), store.get(1)] == kept
    assert store.get(2) is None
    assert list(store.newest_first()) == kept[::-1]


@pytest.mark.parametrize(
    "bounds",
    [
        Bounds(bytes=1 << 30, events=2, age=1 << 60),
        Bounds(bytes=1 << 30, events=1 << 30, age=1),
        Bounds(bytes=2 * pulse(0, [execs(1)], 0).bytes, events=1 << 30, age=1 << 60),
    ],
    ids=["events", "age", "bytes"],
)
def test_the_oldest_go_at_each_bound(bounds: Bounds) -> None:
    store = Store(bounds)
    added = [add(store, time) for time in (1, 2, 3)]
    assert (store.first, store.next, store.events) == (1, 3, 2)
    assert store.bytes == sum(p.bytes for p in added[1:])
    assert store.get(0) is None


def test_age_alone_empties_the_store() -> None:
    store = Store(Bounds(bytes=1 << 30, events=1 << 30, age=100))
    add(store, 1)
    store.expire(101)
    assert store.events == 1
    store.expire(102)
    assert (store.events, store.bytes, store.first) == (0, 0, 1)
