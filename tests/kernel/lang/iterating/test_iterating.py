"""Programs go over what the kernel has, by for."""

import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import skep
from tests.kernel.lang.both import Given, live, packets
from tests.kernel.lang.iterating import programs as p


def bits(words: Any, count: int) -> Iterator[int]:  # noqa: ANN401 - memory of a program
    """The iterator of that name, in plain Python."""
    number = sum(int(words[i]) << 64 * i for i in range(count))
    return (i for i in range(64 * count) if number >> i & 1)


@pytest.mark.requires("kfunc.bpf_iter_bits_new")
def test_bits_are_gone_over_as_in_plain_python() -> None:
    given = list(packets(3, 12))
    given += [Given(a=number, e=odd).to_bytes() for number in (0, 0x3FF, 1 << 45) for odd in (0, 1)]
    kernel = skep.FakeKernel(helpers={"bpf_iter_bits": bits})
    plain = [p.numbers_of_bits.py(data, kernel=kernel) for data in given]
    assert [verdict for verdict, _ in live(p.numbers_of_bits, given)] == plain


@pytest.mark.requires("kfunc.bpf_iter_task_new")
def test_the_threads_of_a_process_are_gone_over() -> None:
    done = threading.Event()
    others = [threading.Thread(target=done.wait, daemon=True) for _ in range(3)]
    for one in others:
        one.start()
    with skep.load(p.counts_threads) as loaded:
        loaded[p.own][os.getpid()] = 1
        os.getppid()
        del loaded[p.own][os.getpid()]
        results = list(loaded[p.results].values())
    done.set()
    for one in others:
        one.join()
    assert 4 <= results[0] < 1000
    assert results[1] > 1
    assert results[2] > 0


@pytest.mark.requires("kfunc.bpf_iter_task_vma_new")
def test_the_mappings_of_a_process_are_gone_over() -> None:
    with skep.load(p.sums_mappings) as loaded:
        loaded[p.own][os.getpid()] = 1
        os.getppid()
        del loaded[p.own][os.getpid()]
        mapped = loaded[p.results][3]
    with open("/proc/self/maps", encoding="ascii") as file:
        ends = [line.split()[0].split("-") for line in file if "[vsyscall]" not in line]
    listed = sum(int(last, 16) - int(first, 16) for first, last in ends)
    assert abs(mapped - listed) < 64 << 20
