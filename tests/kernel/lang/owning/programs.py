"""Programs whose objects have lists and trees of their own."""

import skep
from skep import Array, List, ListNode, Object, SpinLock, Struct, char, u8, u32, u64


class Packet(Object):
    size: u32
    node: ListNode
    by_size: skep.TreeNode
    holders: skep.RefCount


class Flow(Object):
    """An object with a list and a tree of its own."""

    seen: u32
    packets: List[Packet]
    node: ListNode
    mark: u8
    lock: SpinLock
    sorted: skep.Tree[Packet]
    name: char[8]


class Flows(Struct):
    lock: SpinLock
    count: u64
    flows: List[Flow]


flows = Array(Flows, 1)
left = Array(u64, 4)


def larger(a, b):
    return a.size > b.size


def packet_of(size):
    packet = Packet.new()
    if packet is not None:
        packet.size = size
    return packet


@skep.tc("ingress")
def opens_flow(ctx):
    """A flow with two packets in its list, and one in its tree, is linked."""
    table = flows.lookup(0)
    flow, first, second = Flow.new(), packet_of(len(ctx)), packet_of(len(ctx) + 1)
    third = packet_of(7)
    if flow is None or table is None or first is None or second is None or third is None:
        if flow is not None:
            flow.drop()
        if first is not None:
            first.drop()
        if second is not None:
            second.drop()
        if third is not None:
            third.drop()
        return 1
    flow.mark = 9
    flow.name = "flow"
    with flow.lock:
        flow.packets.push_back(first)
        flow.packets.push_back(second)
        flow.sorted.add(third, larger)
        flow.seen += 2
    with table.lock:
        table.flows.push_back(flow)
        table.count += 1
    return 2


@skep.tc("ingress")
def takes_packet(ctx):
    """Out of the list of the first flow, which is linked again."""
    table = flows.lookup(0)
    if table is None:
        return 1
    with table.lock:
        flow = table.flows.pop_front()
    if flow is None:
        return 3
    least = u32(0)
    with flow.lock:
        packet = flow.packets.pop_front()
        first = flow.sorted.first()
        if first is not None:
            least = first.size
        flow.seen += 1
    if packet is not None:
        left[0] = packet.size
        packet.drop()
    else:
        left[0] = 0
    left[1] = flow.seen
    left[2] = least
    left[3] = flow.mark if flow.name == "flow" else 0
    with table.lock:
        table.flows.push_front(flow)
    return 2


@skep.tc("ingress")
def ends_flow(ctx):
    """The kernel drops what it links with it."""
    table = flows.lookup(0)
    if table is None:
        return 1
    with table.lock:
        flow = table.flows.pop_back()
    if flow is None:
        return 3
    flow.drop()
    return 2


@skep.tc("ingress")
def alone(ctx):
    """An object that nothing links, with a list."""
    flow, packet = Flow.new(), packet_of(len(ctx))
    if flow is None or packet is None:
        if flow is not None:
            flow.drop()
        if packet is not None:
            packet.drop()
        return 1
    with flow.lock:
        flow.packets.push_front(packet)
    flow.drop()
    return 2
