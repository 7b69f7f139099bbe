"""Arenas: what Python writes a program reads, and the other way; no index is refused."""

import numpy as np
import pytest

import skep
from tests.kernel.lang import arena_programs as p
from tests.kernel.lang.arena_programs import Node
from tests.kernel.lang.both import live, packets, plain

pytestmark = pytest.mark.requires("map.arena")
PACKET = bytes(20)
LAST = (1 << 17) - 1


def test_a_list_in_shared_memory_is_walked() -> None:
    with skep.load(p.walks, attach=False) as live:
        heap = live[p.heap]
        heap.nodes[0].next = 5
        heap.nodes[5] = Node(next=LAST, value=10)
        heap.nodes[LAST] = Node(next=7, value=20)
        heap.nodes[7].value = 30
        assert live.programs["walks"].test_run(PACKET).retval == 2
        assert (heap.total, heap.nodes[LAST].value, heap.counts[20]) == (60, 21, 1)
        assert live.programs["walks"].test_run(PACKET).retval == 2
        assert heap.total == 123
        assert dict(live[p.by_node].items()) == {Node(0, 31): 1, Node(0, 32): 1}
        counts = np.asarray(heap.counts)
        assert (counts.shape, counts.sum()) == ((300,), 2)
        counts[20] = 9
        assert heap.counts[20] == 9
        del counts
        with pytest.raises(ValueError, match=r"heap.total is a u64"):
            heap.total = -1


def test_two_programs_share_it_and_nothing_stays() -> None:
    with skep.load(p.walks, attach=False) as live:
        live.programs["walks"].test_run(PACKET)
        assert live[p.heap].counts[20] == 1
    with skep.load(p.walks, attach=False) as live:
        assert live[p.heap].counts[20] == 0


def test_nothing_is_read_or_written_outside_of_it() -> None:
    with skep.load(p.beyond, attach=False) as live:
        assert live.programs["beyond"].test_run(PACKET).retval == 2


def test_the_same_as_plain_python() -> None:
    kernel = skep.FakeKernel()
    heap = kernel[p.heap]
    heap.nodes[0].next = 5
    heap.nodes[5].next = 7
    heap.nodes[5].value = 10
    heap.nodes[7].value = 30
    assert p.walks.py(PACKET, kernel=kernel) == 2
    assert (heap.total, heap.nodes[7].value, heap.counts[20]) == (40, 31, 1)
    assert dict(kernel[p.by_node]) == {Node(0, 31): 1}
    with pytest.raises(IndexError):
        p.beyond.py(PACKET, kernel=kernel)


def test_a_global_function_is_given_a_part_of_an_arena() -> None:
    kernel = skep.FakeKernel()
    kernel[p.heap].nodes[0].next, kernel[p.heap].nodes[9].value = 9, 4
    assert p.passes.py(PACKET, kernel=kernel) == 707
    with skep.load(p.passes, attach=False) as live:
        live[p.heap].nodes[0].next = 9
        live[p.heap].nodes[9].value = 4
        assert live.programs["passes"].test_run(PACKET).retval == 707
        assert live[p.heap].nodes[9].value == 7


def test_an_arena_is_at_most_as_large_as_the_kernel_takes() -> None:
    class Huge(skep.Struct):
        cells: skep.u64[1 << 30]

    with pytest.raises(ValueError, match="4294967296 bytes at most"):
        skep.Arena(Huge)


def test_one_of_two_numbers_is_in_an_arena() -> None:
    given = list(packets(1, 12))
    assert live(p.of_two_memories, given) == plain(p.of_two_memories, given)
