"""Attempts to open TCP connections (SYN) by destination port, counted by a tc program, over IPv4 and IPv6.

It runs in a network namespace of its own and connects there to three ports, of which nobody listens at one. A port
has a place in the table of all ports, so that no flood of them can fill it.

    python examples/14_syn_counter.py
"""

import os
import socket
import sys
from contextlib import ExitStack, suppress

import skep

IPV4, IPV6, TCP = 0x0800, 0x86DD, socket.IPPROTO_TCP
SYN, ACK, FRAGMENT = 0x02, 0x10, 0x1FFF
INSIDE = "--inside"


class Ethernet(skep.Struct):
    addresses: skep.u8[12]
    type: skep.be16


class Ip(skep.Struct):
    words: skep.u8
    rest: skep.u8[5]
    fragment: skep.be16
    ttl: skep.u8
    protocol: skep.u8
    more: skep.u8[10]


class Ip6(skep.Struct):
    head: skep.u8[6]
    protocol: skep.u8
    rest: skep.u8[33]


class Tcp(skep.Struct):
    source: skep.be16
    destination: skep.be16
    numbers: skep.u8[9]
    flags: skep.u8


syns = skep.PerCpuArray(skep.u64, 65536)


@skep.tc("ingress")
def on_packet(ctx):
    eth = ctx.view(Ethernet)
    if eth is None:
        return
    if eth.type == IPV4:
        ip = ctx.view(Ip, 14)
        if ip is None or ip.fragment & FRAGMENT:
            return
        protocol, at = ip.protocol, 14 + (ip.words & 15) * 4
    elif eth.type == IPV6:
        ip6 = ctx.view(Ip6, 14)
        if ip6 is None:
            return
        protocol, at = ip6.protocol, 14 + 40
    else:
        return
    tcp = ctx.view(Tcp, at)
    if tcp is None or protocol != TCP:
        return
    if tcp.flags & (SYN | ACK) == SYN:
        syns.increment(skep.u32(tcp.destination))


def connect(address: str, port: int) -> None:
    with suppress(ConnectionRefusedError):
        socket.create_connection((address, port)).close()


def main() -> None:
    if INSIDE not in sys.argv:  # the same file again, where only a loopback device is
        again = (
            f'ip link set lo up && exec "{sys.executable}" "{os.path.abspath(__file__)}" {INSIDE}'
        )
        os.execvp("unshare", ["unshare", "--net", "sh", "-c", again])
    with skep.load(on_packet) as live, ExitStack() as servers:
        servers.enter_context(socket.create_server(("127.0.0.1", 80)))
        servers.enter_context(socket.create_server(("::1", 443), family=socket.AF_INET6))
        live.attach(on_packet, "lo")
        for address, port, times in (("127.0.0.1", 80, 5), ("::1", 443, 3), ("127.0.0.1", 22, 2)):
            for _ in range(times):
                connect(address, port)
        for port, counts in live[syns].items():
            if sum(counts):
                print(f"port {port:5}: {sum(counts)} SYN")


if __name__ == "__main__":
    main()
