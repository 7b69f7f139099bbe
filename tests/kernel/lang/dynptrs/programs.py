"""Programs that read and write through dynptrs."""

import skep
from skep import Array, Struct, be16, char, u8, u32, u64


class Block(Struct):
    """Bytes of a map."""

    data: u8[64]


class Ethernet(Struct):
    """What a packet begins with."""

    destination: u8[6]
    source: u8[6]
    kind: be16


blocks = Array(Block, 1)
from_xdp = skep.kfunc("bpf_dynptr_from_xdp")
from_skb = skep.kfunc("bpf_dynptr_from_skb")
slice_of = skep.kfunc("bpf_dynptr_slice")
slice_to_write = skep.kfunc("bpf_dynptr_slice_rdwr")


@skep.xdp
def through_a_value(ctx):
    """A number goes into a value, is read from it again, and is changed in place."""
    block = blocks.lookup(0)
    if block is None:
        return 0
    memory, number = skep.Dynptr(), u64[1]()
    number[0] = 0x0807060504030201
    if skep.dynptr_from_mem(block, 0, memory) != 0:
        return 1
    if (
        skep.dynptr_write(memory, 6, number, 0) != 0
        or skep.dynptr_write(memory, 60, number, 0) == 0
    ):
        return 3
    number[0] = 0
    skep.dynptr_read(number, memory, 8, 0)
    there = skep.dynptr_data(memory, 0, Ethernet)
    if there is None or skep.dynptr_data(memory, 60, Ethernet) is not None:
        return 4
    there.kind += 1
    return u32(number[0] & 0xFF) << 16 | there.kind


@skep.xdp
def through_a_packet(ctx):
    """A header is read, and another one written, whether or not they lie in one piece."""
    packet = skep.Dynptr()
    if from_xdp(ctx, 0, packet) != 0:
        return 1
    header = slice_of(packet, 0, Ethernet())
    if header is None or header.kind != 0x0800:
        return 1
    changed = slice_to_write(packet, 0, Ethernet())
    if changed is None:
        return 1
    changed.kind = 0x86DD
    changed.destination = changed.source
    return 2


class Dropped(Struct):
    """What the last packet of that kind began with."""

    header: u8[20]
    count: u32


dropped = Array(Dropped, 1)


@skep.tp_btf("kfree_skb")
def through_a_dropped_packet(skb):
    """A packet that a tracepoint tells of, from its network header on."""
    packet, last = skep.Dynptr(), dropped.lookup(0)
    if last is None or skb.protocol != 0x0800 or from_skb(skb, 0, packet) != 0:
        return
    found = slice_of(packet, skb.network_header - (u64(skb.data) - u64(skb.head)), u8[20]())
    if found is not None and found[0] == 0x45:
        last.header[:] = found
        last.count += 1


@skep.netfilter("input", family="ipv4", priority=0)
def through_a_filtered_packet(ctx):
    """Datagrams of 13 bytes of payload are dropped."""
    packet = skep.Dynptr()
    if from_skb(ctx.skb, 0, packet) != 0:
        return 1
    udp = slice_of(packet, 20, be16[4]())
    return 0 if udp is not None and udp[2] == 21 else 1


read_attribute = skep.kfunc("bpf_get_file_xattr")
NAME = "user.skep"


class Attribute(Struct):
    """Text that a file has, and how long it is."""

    text: char[64]
    length: u64


attributes = Array(Attribute, 1)
own = Array(u32, 1)


@skep.lsm("file_open", sleepable=True)
def reads_an_attribute(file):
    """The attribute of the files that one process opens."""
    attribute, pid = attributes.lookup(0), own.lookup(0)
    if attribute is None or pid is None or skep.get_current_pid_tgid() >> 32 != pid:
        return 0
    memory = skep.Dynptr()
    if skep.dynptr_from_mem(attribute.text, 0, memory) == 0:
        length = read_attribute(file, NAME, memory)
        if length > 0:
            attribute.length = u64(length)
    return 0


@skep.global_function
def first_of(memory: skep.Dynptr, at: u32) -> u32:
    """A number that lies somewhere in what a dynptr leads to; 0 where it ends before."""
    number = u32[1]()
    return number[0] if skep.dynptr_read(number, memory, at, 0) == 0 else 0


@skep.xdp
def through_a_global_function(ctx):
    """A dynptr is passed on to what is checked by itself."""
    block, memory, number = blocks.lookup(0), skep.Dynptr(), u64[1]()
    if block is None or skep.dynptr_from_mem(block, 0, memory) != 0:
        return 0
    number[0] = 0x0000_0007_0000_0500
    skep.dynptr_write(memory, 8, number, 0)
    return first_of(memory, 8) + first_of(memory, 12) + first_of(memory, 62)
