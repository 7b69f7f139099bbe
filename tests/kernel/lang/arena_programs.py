"""Programs that share memory with Python, larger than any map value and without bounds to prove."""

import skep
from skep import Arena, Global, Hash, Struct, u32, u64
from tests.kernel.lang.both import Given


class Node(Struct):
    next: u32
    value: u32


class Heap(Struct):
    total: u64
    nodes: Node[1 << 17]  # type: ignore[type-arg, valid-type] # an array to us, not a generic
    counts: u64[300]


heap = Arena(Heap)
by_node = Hash(Node, u32, 8)


@skep.tc("ingress")
def walks(ctx):
    at = heap.nodes[0].next
    total: u64 = 0
    while at != 0:
        node = heap.nodes[at]
        total += node.value
        node.value += 1
        at = node.next
    heap.total += total
    heap.counts[len(ctx)] += 1
    by_node.increment(heap.nodes[7])
    return 2


@skep.global_function
def added(node: Node, by: u32) -> u32:
    node.value += by
    return node.value


@skep.tc("ingress")
def passes(ctx):
    """A node of the arena, and one on the stack, to a function that is checked by itself."""
    own = Node(0, 5)
    at = heap.nodes[0].next
    return added(heap.nodes[at], 3) * 100 + added(own, 2)


@skep.tc("ingress")
def beyond(ctx):
    index = len(ctx) + 1_000_000_000
    heap.counts[index] = 5
    return 2 if heap.counts[index] == 0 else 1


class Numbers(Struct):
    """Numbers in an arena."""

    counts: u64[16]


class Known(Struct):
    """Numbers that are not set."""

    low: u64


numbers = Arena(Numbers)
known = Global(Known, Known(low=7), constant=True)


@skep.xdp
def of_two_memories(ctx):
    """Numbers of one memory or another: no instruction is for both."""
    v = ctx.view(Given)
    if v is None:
        return 0
    own = u64[16]()
    numbers.counts[6] = v.c
    own[v.f & 15] = v.d
    first = numbers.counts[6] if v.b > 7 else own[v.e & 15]
    second = known.low if v.c > 1 else numbers.counts[6]
    if v.d > 80:
        numbers.counts[v.e & 15] = 5
    else:
        own[v.e & 15] = 5
    v.a = first * 1000 + second
    return u32(own[v.e & 15] * 10 + numbers.counts[v.e & 15])
