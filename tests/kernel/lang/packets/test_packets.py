"""The library of packets: what is parsed is what was put together, and checksums hold, in the kernel and plain."""

import copy
import socket
import struct
from collections.abc import Iterator

import pytest

import skep
from skep.lang.library import forwarding, headers
from skep.lang.struct import Struct
from skep.program.live import Live
from tests.kernel.lang.packets import programs
from tests.kernel.lang.packets.programs import Found

PROGRAMS = list(programs.ALL)
MACS = bytes(range(12))
SOURCE, DESTINATION = "192.0.2.7", "198.51.100.9"


def checksum(data: bytes) -> int:
    """RFC 1071."""
    data += bytes(len(data) % 2)
    total = sum(int(word) for word in struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip4(protocol: int, payload: bytes, *, options: bytes = b"", fragment: int = 0) -> bytes:
    """An IPv4 packet."""
    words, size = 5 + len(options) // 4, 20 + len(options) + len(payload)
    ends = socket.inet_aton(SOURCE) + socket.inet_aton(DESTINATION)
    start = struct.pack(">BBHHHBBH", 4 << 4 | words, 3, size, 77, fragment, 64, protocol, 0)
    head = start + ends + options
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def over(protocol: int, head: bytes, place: int) -> bytes:
    """A header of a transport with its checksum."""
    pseudo = socket.inet_aton(SOURCE) + socket.inet_aton(DESTINATION)
    pseudo += struct.pack(">BBH", 0, protocol, len(head))
    return head[:place] + struct.pack(">H", checksum(pseudo + head)) + head[place + 2 :]


def ip6(first: int, payload: bytes) -> bytes:
    """An IPv6 packet."""
    return struct.pack(">IHBB", 6 << 28, len(payload), first, 64) + bytes(31) + b"\1" + payload


def tags(*kinds: int) -> bytes:
    """Ethertypes of VLAN tags, then that of the packet."""
    return b"".join(
        struct.pack(">H", kind) + (b"" if i == len(kinds) - 1 else b"\0\5")
        for i, kind in enumerate(kinds)
    )


UDP = over(17, struct.pack(">HHHH", 53, 4444, 14, 0) + b"abcdef", 6)
TCP = over(6, struct.pack(">HHIIBBHHH", 443, 50000, 1, 2, 5 << 4, 18, 1000, 0, 0) + b"x", 16)
ICMP = struct.pack(">BBHHH", 8, 1, 0, 3, 4)
OPTIONS, HOPS = b"\x11\0" + bytes(6), b"\x3c\0" + bytes(6)
PACKETS = {
    "udp": (tags(0x800) + ip4(17, UDP), (0x800, 17, 14, 34, 53, 4444)),
    "options": (tags(0x800) + ip4(17, UDP, options=bytes(8)), (0x800, 17, 14, 42, 53, 4444)),
    "tcp": (tags(0x8100, 0x800) + ip4(6, TCP), (0x800, 6, 18, 38, 443, 50000)),
    "two tags": (tags(0x88A8, 0x8100, 0x800) + ip4(1, ICMP), (0x800, 1, 22, 42, 8, 1)),
    "three tags": (tags(0x88A8, 0x8100, 0x8100, 0x800) + ip4(1, ICMP), (0x8100, 0, 22, 0, 0, 0)),
    "fragment": (tags(0x800) + ip4(17, UDP, fragment=5), (0x800, 17, 14, 0, 0, 0)),
    "first fragment": (tags(0x800) + ip4(17, UDP, fragment=0x2000), (0x800, 17, 14, 34, 53, 4444)),
    "other": (tags(0x806) + bytes(40), (0x806, 0, 14, 0, 0, 0)),
    "ipv6": (tags(0x86DD) + ip6(6, TCP), (0x86DD, 6, 14, 54, 443, 50000)),
    "extensions": (tags(0x86DD) + ip6(0, HOPS + OPTIONS + UDP), (0x86DD, 17, 14, 70, 53, 4444)),
    "v6 fragment": (
        tags(0x86DD) + ip6(44, b"\x11\0\0\x08\0\0\0\1" + UDP),
        (0x86DD, 17, 14, 0, 0, 0),
    ),
    "v6 first": (
        tags(0x86DD) + ip6(44, b"\x11\0\0\x01\0\0\0\1" + UDP),
        (0x86DD, 17, 14, 62, 53, 4444),
    ),
    "authentication": (
        tags(0x86DD) + ip6(51, b"\x11\4" + bytes(22) + UDP),
        (0x86DD, 17, 14, 78, 53, 4444),
    ),
    "many extensions": (
        tags(0x86DD) + ip6(60, (b"\x3c\0" + bytes(6)) * 7 + UDP),
        (0x86DD, 60, 14, 0, 0, 0),
    ),
    "short": (tags(0x800) + ip4(17, UDP)[:19], (0x800, 0, 14, 0, 0, 0)),
    "short ports": (tags(0x800) + ip4(17, UDP)[:24], (0x800, 17, 14, 34, 0, 0)),
}


@pytest.fixture(scope="module")
def loaded() -> Iterator[Live]:
    """What is run for many packets: the verifier looks at it once, which under emulation takes most of a run."""
    with skep.load(programs.parses, programs.finds_options, attach=False) as live:
        yield live


@pytest.mark.parametrize("name", PACKETS)
def test_a_packet_is_parsed(name: str, loaded: Live) -> None:
    data, wanted = PACKETS[name]
    kernel = skep.FakeKernel()
    programs.parses.py(MACS + data, kernel=kernel)
    assert kernel[programs.found][1] == Found(*wanted)
    loaded[programs.found].clear()
    assert loaded.run(programs.parses, MACS + data).maps[programs.found][1] == Found(*wanted)


@pytest.mark.parametrize("name", ["udp", "tcp", "first fragment"])
def test_checksums_are_mended(name: str) -> None:
    data, wanted = PACKETS[name]
    done = skep.run(programs.translates, MACS + data)
    seen = bytearray(MACS + data)
    assert (programs.translates.py(seen), bytes(seen)) == (done.verdict, done.packet)
    assert done.verdict == 3
    head, segment = done.packet[wanted[2] : wanted[3]], done.packet[wanted[3] :]
    assert checksum(head) == 0
    assert head[8] == 63
    pseudo = head[12:20] + struct.pack(">BBH", 0, wanted[1], len(segment))
    assert checksum(pseudo + segment) == 0
    assert head[16:20] == b"\x0a\x0b\x0c\x0d"


@pytest.mark.parametrize(("flags", "verdict"), [(8, 3), (0, 1)])
def test_a_frame_in_a_tunnel_is_parsed(flags: int, verdict: int) -> None:
    frame = MACS + tags(0x8100, 0x800) + ip4(6, TCP)
    payload = struct.pack(">BxxxI", flags, 0x123456 << 8) + frame
    datagram = struct.pack(">HHHH", 5000, 4789, 8 + len(payload), 0) + payload
    packet = MACS + tags(0x800) + ip4(17, datagram)
    begin = 14 + 20 + 8 + 8
    wanted = {0x123456: Found(0x800, 6, begin + 18, begin + 38, 443, 50000)}
    kernel = skep.FakeKernel()
    assert programs.opens_a_tunnel.py(packet, kernel=kernel) == verdict
    done = skep.run(programs.opens_a_tunnel, packet)
    assert done.verdict == verdict
    assert done.maps[programs.inner] == dict(kernel[programs.inner])
    assert done.maps[programs.inner] == (wanted if verdict == 3 else {})


@pytest.mark.parametrize(("first", "verdict"), [(255, -1), (0, 2)])
def test_verdicts_have_names(first: int, verdict: int) -> None:
    packet = bytes([first]) + bytes(20)
    assert programs.decides.py(packet) == skep.run(programs.decides, packet).verdict == verdict


def test_a_header_is_kept_while_the_packet_moves() -> None:
    packet = MACS + tags(0x800) + ip4(17, UDP)
    seen = skep.Packet(packet)
    assert programs.keeps_a_copy.py(seen) == 2
    done = skep.run(programs.keeps_a_copy, packet)
    assert done.packet == bytes(seen.bytes) == MACS + tags(0x801) + packet[34:]


def test_checksums_are_made_over_addresses() -> None:
    zero = checksum(socket.inet_aton(SOURCE) + socket.inet_aton(DESTINATION) + b"\0\x11\0\x0c")
    for port in (53, (zero - 4444 - 12) % 0xFFFF):  # the last of them makes the sum 0
        head = struct.pack(">HHHHI", port, 4444, 12, 0, 0)
        udp = over(17, head, 6)
        sent = struct.pack(">H", int.from_bytes(udp[6:8], "big") or 0xFFFF)
        packet = MACS + tags(0x800) + ip4(17, udp[:6] + sent + udp[8:])
        assert (port == 53) is (sent != b"\xff\xff")
        done = skep.run(programs.sums, packet)
        seen = bytearray(packet)
        assert programs.sums.py(seen, kernel=skep.FakeKernel()) == done.verdict == 2
        assert done.packet == bytes(seen) == packet
    pseudo = bytes(31) + b"\1" + struct.pack(">II", 12, 58)
    ping = struct.pack(">BBHHHI", 128, 0, 0, 7, 1, 0x12345678)
    ping = struct.pack(">BBHHHI", 128, 0, 0, 7, 1, 0)[:6] + bytes(2) + ping[8:]
    ping = ping[:6] + struct.pack(">H", checksum(pseudo + ping)) + ping[8:]
    packet = MACS + tags(0x86DD) + ip6(58, ping)
    seen = bytearray(packet)
    assert programs.sums.py(seen, kernel=skep.FakeKernel()) == 2
    assert skep.run(programs.sums, packet).packet == bytes(seen) == packet


@pytest.mark.parametrize(
    ("options", "kind", "place"),
    [
        (b"\x02\x04\x05\xb4", 2, 54),
        (b"\x01\x01\x02\x04\x05\xb4\x01\x01", 2, 56),
        (b"\x04\x02\x08\x0a" + bytes(8), 8, 56),
        (b"\x00\x02\x04\x05", 2, -1),
        (b"\x01" * 12, 2, -1),
        (b"", 2, -1),
    ],
)
def test_options_of_tcp_are_found(options: bytes, kind: int, place: int, loaded: Live) -> None:
    head = struct.pack(">HHIIBBHHH", 1, 2, 3, 4, (20 + len(options)) << 2, 2, 5, 0, 0)
    packet = bytes([kind]) + MACS[1:] + tags(0x800) + ip4(6, head + options + b"\2\2\2\2")
    wanted = 2 + max(0, place)
    assert programs.finds_options.py(packet) == wanted
    assert loaded.run(programs.finds_options, packet).verdict == wanted


@pytest.mark.parametrize("flags", [0x40, 0x41])
def test_what_is_not_aligned_is_read_and_written(flags: int) -> None:
    packet = bytes([9, flags]) + struct.pack(">IB", 0xFFFFFFFE, 200) + bytes(range(100, 120))
    kernel, seen = skep.FakeKernel(), bytearray(packet)
    assert programs.notes.py(seen, kernel=kernel) == 2
    done = skep.run(programs.notes, packet)
    assert (done.verdict, done.packet) == (2, bytes(seen))
    assert done.maps[programs.noted] == dict(kernel[programs.noted])
    assert done.maps[programs.noted][programs.Ends(17, 0xFFFFFFFE, 443)].heads[1].length == 201
    assert done.maps[programs.total][0].to_bytes() == copy.copy(kernel[programs.total]).to_bytes()


@pytest.mark.parametrize("size", [0, 1, 5, 64, 65])
def test_a_packet_says_how_much_of_it_is_copied(size: int) -> None:
    kernel, packet = skep.FakeKernel(), bytes(14) + struct.pack(">H", size) + bytes(range(64))
    assert programs.copies.py(packet, kernel=kernel) == 2
    done = skep.run(programs.copies, packet)
    assert done.verdict == 2
    assert done.maps[programs.texts] == dict(kernel[programs.texts])
    wanted = size if size < 65 else 0
    assert [text.length for text in done.maps[programs.texts].values()][:2] == [wanted, wanted]


@pytest.mark.parametrize(
    ("ours", "name"),
    [
        (forwarding.FibLookup, "bpf_fib_lookup"),
        (forwarding.RedirNeigh, "bpf_redir_neigh"),
        (forwarding.TunnelKey, "bpf_tunnel_key"),
    ],
)
def test_what_helpers_take_is_laid_out_as_the_kernel_has_it(ours: type[Struct], name: str) -> None:
    types = skep.Machine().target.types
    struct = types.struct(name)
    assert struct is not None
    offsets = {
        field.name: member.offset
        for field in ours.fields
        if (member := types.member(struct, field.name)) is not None
    }
    assert offsets == {f.name: f.offset for f in ours.fields if f.name in offsets}
    assert len(offsets) >= len(ours.fields) - 5  # but for the unions, which have no name there
    assert (forwarding.SockTuple4.size, forwarding.SockTuple6.size) == (12, 36)


def test_headers_have_the_sizes_of_the_wire() -> None:
    sizes = {
        name: getattr(headers, name).size
        for name in ("Ethernet", "Vlan", "Arp", "IPv4", "IPv6", "Tcp", "Udp", "Icmp", "Vxlan")
    }
    assert list(sizes.values()) == [14, 4, 28, 20, 40, 20, 8, 8, 8]
    header = headers.Tcp.from_bytes(TCP)
    assert (header.words, header.flags, header.window) == (5, 18, 1000)
