"""Fake objects, lists and trees: what a program does with them, and what the kernel would refuse."""

from collections.abc import Callable
from typing import Any

import pytest

import skep
from skep import (
    FakeKernel,
    Hash,
    List,
    ListNode,
    Object,
    SpinLock,
    Struct,
    Tree,
    TreeNode,
    u32,
    u64,
)
from skep.lang.plain.rebuild import Binding

Seen = Any
"""What a program has: a value of a map, an object."""
Make = Callable[[int], Seen]


class Entry(Object):
    key: u64
    holders: skep.RefCount
    node: ListNode
    sorted: TreeNode


class Bucket(Struct):
    lock: SpinLock
    entries: List[Entry]
    tree: Tree[Entry]


buckets = Hash(u32, Bucket, 4)
found = skep.Array(u64, 4)


def less(a: Seen, b: Seen) -> Seen:
    return a.key < b.key


class Outer(Object):
    lock: SpinLock
    entries: List[Entry]


@pytest.fixture
def inside() -> Seen:
    """A value with a list and a tree, as a program has it."""
    kernel = FakeKernel()
    kernel[buckets][1] = Bucket()
    return kernel.inside(buckets).lookup(1)


@pytest.fixture
def made() -> Make:
    """Makes entries."""
    kernel = FakeKernel()
    kind = Binding(kernel).value(Entry)

    def new(key: int) -> Seen:
        entry = kind.new()
        entry.key = key
        return entry

    return new


def test_a_tree_keeps_equals_in_the_order_of_their_coming(inside: Seen, made: Make) -> None:
    entries = [made(key) for key in (2, 1, 2, 0)]
    with inside.lock:
        for entry in entries:
            assert inside.tree.add(entry, less) == 0
        taken = []
        while (first := inside.tree.first()) is not None:
            taken.append(inside.tree.remove(first))
    assert [int(one.key) for one in taken] == [0, 1, 2, 2]
    taken[2].key = 7
    assert int(entries[0]._memory[0]) == 7


def test_what_was_taken_out_is_not_there_to_be_removed(inside: Seen, made: Make) -> None:
    with inside.lock:
        inside.tree.add(made(1), less)
        first = inside.tree.first()
        assert inside.tree.remove(first) is not None
        assert inside.tree.remove(first) is None
        assert inside.tree.first() is None


def test_an_object_is_in_one_list_once(inside: Seen, made: Make) -> None:
    entry = made(1)
    other = entry.acquire()
    with inside.lock:
        assert inside.entries.push_back(entry) == 0
        assert inside.entries.push_back(other) == -22
        taken = inside.entries.pop_back()
        assert inside.entries.pop_back() is None
        assert inside.entries.push_front(taken) == 0


def test_a_list_without_its_lock(inside: Seen, made: Make) -> None:
    with pytest.raises(RuntimeError, match="while the lock of its value is held"):
        inside.entries.push_front(made(1))
    with pytest.raises(RuntimeError, match="while the lock of its value is held"):
        inside.entries.pop_front()


def test_a_linked_object_is_reached_under_the_lock_only(inside: Seen, made: Make) -> None:
    entry = made(1)
    with inside.lock:
        inside.entries.push_front(entry)
        entry.key = 2
        with pytest.raises(RuntimeError, match=r"drop\(\) takes an object that is the program's"):
            entry.drop()
        with pytest.raises(RuntimeError, match=r"push_back\(\) takes an object that is the"):
            inside.entries.push_back(entry)
    with pytest.raises(RuntimeError, match="this Entry is linked, and its lock is not held"):
        entry.key = 3


def test_an_object_has_a_list_of_its_own(made: Make) -> None:
    kind = Binding(FakeKernel()).value(Outer)
    outer, other = kind.new(), kind.new()
    with pytest.raises(RuntimeError, match="while the lock of its value is held"):
        outer.entries.push_front(made(1))
    with outer.lock:
        for key in (1, 2):
            outer.entries.push_back(made(key))
    with other.lock:
        assert other.entries.pop_front() is None
        with pytest.raises(RuntimeError, match="while the lock of its value is held"):
            outer.entries.pop_front()
    with outer.lock:
        assert int(outer.entries.pop_front().key) == 1
    outer.drop()
    with pytest.raises(RuntimeError, match=r"this Outer is used after drop\(\)"):
        outer.entries.pop_front()


def test_an_object_that_was_dropped(made: Make) -> None:
    entry = made(1)
    entry.drop()
    for use in (entry.drop, entry.acquire, lambda: entry.key):
        with pytest.raises(RuntimeError, match=r"this Entry is used after drop\(\)"):
            use()


def test_a_value_that_is_deleted_drops_its_objects(made: Make) -> None:
    kernel = FakeKernel()
    for _ in range(2):
        kernel[buckets][1] = Bucket()
        value = kernel.inside(buckets).lookup(1)
        with value.lock:
            assert value.entries.pop_front() is None
            value.entries.push_front(made(5))
        del kernel[buckets][1]


class Tally(Object):
    runs: u64


class Case(Object):
    inner: skep.Owned[Entry]


class Slot(Struct):
    entry: skep.Owned[Entry]
    tally: skep.PerCpu[Tally]


slots = Hash(u32, Slot, 4)


def test_an_object_is_kept_taken_and_read_where_it_is(made: Make) -> None:
    kernel = FakeKernel()
    kernel[slots][1] = Slot()
    slot, first, second = kernel.inside(slots).lookup(1), made(1), made(2)
    assert (slot.entry.get(), slot.entry.take(), slot.entry.clear()) == (None, None, 0)
    assert slot.entry.swap(first) is None
    slot.entry.get().key = 5
    old = slot.entry.swap(second)
    assert (int(old.key), int(slot.entry.get().key)) == (5, 2)
    with pytest.raises(RuntimeError, match=r"this Entry is used after swap\(\) kept it"):
        second.key = 3
    with pytest.raises(RuntimeError, match=r"drop\(\) takes an object that is the program's own"):
        slot.entry.get().drop()
    slot.entry.set(old)
    with pytest.raises(RuntimeError, match=r"this Entry is used after set\(\) kept it"):
        slot.entry.set(old)
    assert (slot.entry.clear(), slot.entry.clear()) == (1, 0)


def test_what_a_value_keeps_goes_with_it(made: Make) -> None:
    kernel = FakeKernel()
    kernel[slots][1] = Slot()
    kernel.inside(slots).lookup(1).entry.set(made(1))
    kernel[slots][1] = Slot()
    assert kernel.inside(slots).lookup(1).entry.get() is None


def test_an_object_keeps_another_one(made: Make) -> None:
    kind = Binding(FakeKernel()).value(Case)
    one, other = kind.new(), kind.new()
    one.inner.set(made(7))
    assert (other.inner.take(), int(one.inner.take().key), one.inner.take()) == (None, 7, None)


def test_an_object_of_each_cpu() -> None:
    kernel = FakeKernel(cpu=1, cpus=3)
    kernel[slots][1] = Slot()
    slot, tally = kernel.inside(slots).lookup(1), Binding(kernel).value(Tally).new_per_cpu()
    with pytest.raises(RuntimeError, match="'runs' is reached where the object is kept"):
        tally.runs += 1
    assert (slot.tally.here(), slot.tally.on(0)) == (None, None)
    slot.tally.set(tally)
    slot.tally.here().runs += 3
    assert [int(slot.tally.on(cpu).runs) for cpu in range(3)] == [0, 3, 0]
    assert slot.tally.on(3) is None
    slot.tally.take().drop()
    assert (slot.tally.here(), slot.tally.clear()) == (None, 0)
    assert kernel.timers.owned == {}


@skep.tc("ingress")
def keeps(ctx: Seen) -> int:
    entry = Entry.new()
    if entry is None:
        return 1
    other = entry.acquire()
    if len(ctx) > 20:
        entry.drop()
        if other is not None:
            other.drop()
    return 2


def test_an_object_that_a_program_keeps() -> None:
    kernel = FakeKernel()
    assert keeps.py(bytes(30), kernel=kernel) == 2
    with pytest.raises(RuntimeError, match="keeps neither dropped nor linked: Entry, Entry"):
        keeps.py(bytes(20), kernel=kernel)
    assert keeps.py(bytes(30), kernel=kernel) == 2
