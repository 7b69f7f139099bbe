"""Fakes of maps that are no tables: as a program uses them, and as a test sees them."""

from functools import partial
from types import SimpleNamespace

import pytest

import skep
from skep import Array, FakeKernel, Hash, Struct, u32, u64


class Pair(Struct):
    first: u32
    second: u32


class Timed(Struct):
    n: u64
    timer: skep.Timer


class Kept(Struct):
    n: u64
    timer: skep.Timer
    task: skep.TaskReference


class Locked(Struct):
    lock: skep.SpinLock
    n: u64


@pytest.fixture
def kernel() -> FakeKernel:
    return FakeKernel()


@pytest.mark.parametrize("kind", [skep.Queue, skep.Stack])
def test_a_queue_gives_copies(kernel: FakeKernel, kind: type[skep.Queue]) -> None:
    fake = kernel[kind(Pair, 2)]
    assert fake.pop() is fake.peek() is None
    assert [fake.push(Pair(n)) for n in (1, 2, 3)] == [0, 0, -7]
    peeked = fake.peek()
    peeked.first = 9
    order = [1, 2] if kind is skep.Queue else [2, 1]
    assert [value.first for value in fake] == order
    assert fake.push(Pair(3), 2) == 0
    assert (len(fake), fake.pop().first) == (2, 2 if kind is skep.Queue else 3)


def test_a_bloom_filter_finds_what_was_added(kernel: FakeKernel) -> None:
    fake = kernel[skep.Bloom(u32, 4)]
    assert fake.add(5) == 0
    assert (5 in fake, 6 in fake) == (True, False)


def test_maps_in_maps_stay_within_their_places(kernel: FakeKernel) -> None:
    fake = kernel[skep.ArrayOfMaps(Hash(u32, u64, 4), 2)]
    fake[1] = {5: 50}
    assert dict(fake[1]) == {5: 50}
    assert (fake.lookup(0), fake.lookup(7), 1 in fake, len(fake)) == (None, None, True, 1)
    with pytest.raises(KeyError):
        fake[0]
    del fake[1]
    assert len(fake) == 0


def test_storages_tell_owners_apart_by_identity(kernel: FakeKernel) -> None:
    fake = kernel[skep.TaskStorage(Pair)]
    one, other = SimpleNamespace(tgid=1), SimpleNamespace(tgid=1)
    fake.get(one).first = 5
    assert fake.get(other, Pair(7)).first == 7
    assert (fake[one], fake[other], len(fake)) == (Pair(5), Pair(7), 2)
    assert (fake.delete(one), fake.delete(one), fake.lookup(one)) == (0, -2, None)
    assert list(fake) == [other]


def test_redirects_are_noted_where_something_stands(kernel: FakeKernel) -> None:
    fake = kernel[skep.DevHash(4)]
    fake[7] = skep.Device(3)
    assert (fake.redirect(7), fake.redirect(8), fake.redirect(8, 2)) == (4, 0, 2)
    assert (fake.sent, fake.lookup(7).ifindex, fake.lookup(8)) == ([7], 3, None)


def test_a_socket_is_whatever_stands_for_it(kernel: FakeKernel) -> None:
    fake = kernel[skep.SockMap(4)]
    fake[2] = server = SimpleNamespace(port=80)
    assert (fake.lookup(2), fake.lookup(3)) == (server, None)
    assert (fake.assign(None, 2), fake.assign(None, 3), fake.sent) == (0, -2, [2])


def test_a_timer_runs_once_and_only_what_was_set(kernel: FakeKernel) -> None:
    fake = kernel.inside(Array(Timed, 2))
    seen = []
    assert fake.lookup(0).timer.start(5) == -22
    fake.lookup(0).timer.start(5, lambda key, value: seen.append((int(key), int(value.n))))
    fake.lookup(1).timer.start(3, lambda key, _: seen.append((int(key), kernel.now)))
    kernel.advance(4)
    assert seen == [(1, 3)]
    fake.lookup(0).n = 9
    kernel.advance(4)
    assert (seen, kernel.now) == ([(1, 3), (0, 9)], 8)
    assert fake.lookup(0).timer.cancel() == 0


def test_a_timer_and_a_reference_end_with_their_value(kernel: FakeKernel) -> None:
    fake = kernel.inside(Hash(u32, Kept, 2))
    for end in (partial(fake.update, 1, Kept()), partial(fake.delete, 1)):
        fake[1] = Kept(n=5)
        value = fake.lookup(1)
        value.timer.start(5, lambda *_: pytest.fail("it rests"))
        assert (value.task.get(), value.task.set(kernel), value.task.get()) == (None, 0, kernel)
        end()
        kernel.advance(10)
        assert value.task.get() is None


def test_a_lock_is_taken_once(kernel: FakeKernel) -> None:
    value = kernel.inside(Array(Locked, 1)).lookup(0)
    with value.lock:
        value.n += 1
        with pytest.raises(RuntimeError, match="held already"), value.lock:
            pass
    assert value.n == 1
