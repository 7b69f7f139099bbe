"""SYN cookies before the stack: an XDP program answers SYNs by itself, so that a flood of them fills no queue.

The kernel makes the cookie, and takes the ACK that brings it back: a connection is there when its second packet comes.
SYNs of IPv4 are answered that have 20 bytes of options, as Linux sends them; of these the segment size alone remains.
It runs in a network namespace of its own, and connects there.

    python examples/17_syn_cookies.py
"""

import os
import socket
import sys
from pathlib import Path

import skep
from skep.lang.library.forwarding import SockTuple4
from skep.lang.library.headers import Ethernet, EtherType, IPv4, Protocol, TcpFlag
from skep.lang.library.packets import folded
from skep.lang.library.verdicts import Xdp

AT, SIZE, WORDS = 34, 40, 10
OPTIONS = b"\x02\x04" + (1460).to_bytes(2, "big") + b"\x01" * 16  # the segment size, and nothing
SYN_ACK = TcpFlag.SYN | TcpFlag.ACK
PORT, INSIDE = 8080, "--inside"


class Segment(skep.Struct):
    source: skep.be16
    destination: skep.be16
    sequence: skep.be32
    acknowledged: skep.be32
    reserved: skep.u8 = skep.bits(4)
    words: skep.u8 = skep.bits(4)
    flags: skep.u8
    window: skep.be16
    checksum: skep.be16
    urgent: skep.be16
    options: skep.u8[20]


class Pseudo(skep.Struct):
    source: skep.be32
    destination: skep.be32
    protocol: skep.be16
    length: skep.be16


answered = skep.PerCpuArray(skep.u64, 1)


@skep.xdp
def answers(ctx):
    eth, ip, syn = ctx.view(Ethernet), ctx.view(IPv4, 14), ctx.view(Segment, AT)
    if eth is None or ip is None or syn is None or eth.type != EtherType.IPV4:
        return Xdp.PASS
    if ip.version != 4 or ip.words != 5 or ip.length != 20 + SIZE or ip.protocol != Protocol.TCP:
        return Xdp.PASS
    if syn.flags & SYN_ACK != TcpFlag.SYN or syn.words != WORDS:
        return Xdp.PASS
    ends = SockTuple4(ip.source, ip.destination, syn.source, syn.destination)
    listener = skep.skc_lookup_tcp(ends, -1, 0)
    if listener is None:
        return Xdp.PASS
    cookie = skep.tcp_gen_syncookie(listener, ip, 20, syn, SIZE)
    skep.sk_release(listener)
    if cookie < 0:
        return Xdp.PASS
    eth.source, eth.destination = eth.destination, eth.source
    ip.source, ip.destination = ip.destination, ip.source
    syn.source, syn.destination = syn.destination, syn.source
    syn.acknowledged, syn.sequence = syn.sequence + 1, skep.u32(cookie)
    syn.flags, syn.window, syn.checksum = SYN_ACK, 65535, 0
    syn.options = OPTIONS
    checksum(ip, syn)
    answered.increment(0)
    return Xdp.TX


def checksum(ip, segment):
    pseudo = Pseudo(ip.source, ip.destination, Protocol.TCP, SIZE)
    total = skep.csum_diff(None, pseudo, 0)
    total = skep.csum_diff(None, 0, segment, SIZE, skep.u32(total))
    segment.checksum = skep.ntohs(folded(skep.u32(total)))


def cookies() -> int:
    """How many connections the kernel made of cookies, in this namespace."""
    names, numbers = Path("/proc/net/netstat").read_text(encoding="utf-8").splitlines()[:2]
    return int(dict(zip(names.split(), numbers.split(), strict=True))["SyncookiesRecv"])


def main() -> None:
    if INSIDE not in sys.argv:  # the same file again, where only a loopback device is
        again = (
            f'ip link set lo up && exec "{sys.executable}" "{os.path.abspath(__file__)}" {INSIDE}'
        )
        os.execvp("unshare", ["unshare", "--net", "sh", "-c", again])
    Path("/proc/sys/net/ipv4/tcp_syncookies").write_text("2", encoding="utf-8")
    with skep.load(answers) as live, socket.create_server(("127.0.0.1", PORT)) as server:
        live.attach(answers, "lo", mode="generic")
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", PORT)) as client, server.accept()[0] as one:
                client.sendall(b"hello")
                print("received:", one.recv(16).decode())
        print(
            f"SYNs that XDP answered: {sum(live[answered][0])}, connections of cookies: {cookies()}"
        )


if __name__ == "__main__":
    main()
