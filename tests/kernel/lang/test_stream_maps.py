"""Perf buffers: samples come whole and in order, and what is lost is counted. User rings the other way."""

import os
import threading
from collections.abc import Iterator

import pytest

import skep
from skep.base.errors import KernelError
from tests.kernel.lang import stream_programs as p
from tests.kernel.lang.stream_programs import STOP, Call, Order

SECONDS = 60.0
COMM = "skep-stream"


def comm() -> str:
    with open(f"/proc/{os.getpid()}/task/{threading.get_native_id()}/comm", encoding="utf-8") as f:
        return f.read().strip()


def test_samples_are_structs_or_bytes() -> None:
    with skep.load(p.on_call) as live:
        calls, some = live[p.calls], live[p.some]
        live[p.mine][os.getpid()] = 1
        os.getppid()
        os.getppid()
        seen: list[object] = []
        while len(seen) < 2:
            seen += calls.poll(SECONDS)
        assert seen == [Call(os.getpid(), p.GETPPID, comm())] * 2
        assert list(some.poll()) == [comm().encode()[:5].ljust(12, b"\0")] * 2
        os.getppid()
        assert next(iter(calls)) == seen[0]
        assert calls.lost == 0


def test_the_same_as_plain_python() -> None:
    kernel = skep.FakeKernel(task=skep.Task(pid=7, comm="hello"))
    kernel[p.mine][7] = 1
    p.on_call.py(None, p.GETPPID, kernel=kernel)
    assert kernel[p.calls].poll() == [Call(7, p.GETPPID, "hello")]
    assert kernel[p.some].events == [b"hello".ljust(12, b"\0")]


@pytest.fixture
def one_cpu() -> Iterator[None]:
    """The test stays on a CPU: each has a buffer of its own, and tells of its losses there."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


@pytest.mark.usefixtures("one_cpu")
def test_what_finds_no_room_is_counted() -> None:
    with skep.load(p.floods, attach=False) as live:
        few = live[p.few]
        run = live.programs["floods"].test_run
        run(bytes(20))
        taken = [sample.n for sample in few.poll()]  # type: ignore[union-attr]
        assert taken == list(range(len(taken)))
        assert 0 < len(taken) < 100
        run(bytes(20))  # the kernel tells of a loss with the next sample
        again = [sample.n for sample in few.poll()]  # type: ignore[union-attr]
        assert few.lost == 100 - len(taken)
        assert again[0] == 0


@pytest.mark.requires("map.user_ringbuf")
def test_a_program_takes_what_python_pushed() -> None:
    given = [Order(1, 10), Order(2, 20), Order(1, 5), Order(STOP, 1), Order(2, 7)]
    kernel = skep.FakeKernel()
    for order in given:
        kernel[p.orders].push(order)
    with skep.load(p.takes, p.takes_all, attach=False) as live:
        orders = live[p.orders]
        for order in given:
            orders.push(order)
        assert live.programs["takes"].test_run(bytes(20)).retval == 4
        assert p.takes.py(bytes(20), kernel=kernel) == 4
        assert dict(live[p.sums].items()) == dict(kernel[p.sums]) == {0: 0, 1: 15, 2: 20, 3: 1}
        assert len(orders) == 24
        assert live.programs["takes_all"].test_run(bytes(20)).retval == 1
        assert p.takes_all.py(bytes(20), kernel=kernel) == 1
        assert live[p.sums][0] == kernel[p.sums][0] == 1
        assert (len(orders), len(kernel[p.orders])) == (0, 0)


@pytest.mark.requires("map.user_ringbuf")
def test_what_takes_messages_keeps_what_it_finds_in_memory() -> None:
    kernel = skep.FakeKernel()
    with skep.load(p.takes_largest, attach=False) as live:
        for amount in (4, 9, 7, 80):
            live[p.orders].push(Order(1, amount))
            kernel[p.orders].push(Order(1, amount))
        found = [live.programs["takes_largest"].test_run(bytes(20)).retval for _ in range(2)]
        assert found == [9 * 10 + 3, 80 * 10 + 1]
        assert found == [p.takes_largest.py(bytes(20), kernel=kernel) for _ in range(2)]


@pytest.mark.requires("map.user_ringbuf")
def test_a_user_ring_that_is_full_says_so_and_goes_round() -> None:
    with skep.load(p.takes_all, attach=False) as live:
        orders = live[p.orders]
        room = 4096 // 24
        for _ in range(3):
            for n in range(room):
                orders.push(Order(1, n))
            with pytest.raises(
                KernelError, match=rf"orders: the ring is full .* \({room * 24} of 4096"
            ):
                orders.push(Order(1, 1))
            assert live.programs["takes_all"].test_run(bytes(20)).retval == room
        with pytest.raises(ValueError, match=r"orders: message.what is a u32"):
            orders.push(Order(-1, 1))
        assert live[p.sums][0] == 3 * room
