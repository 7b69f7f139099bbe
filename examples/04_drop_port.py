"""An XDP program that drops UDP packets to one port, in a network namespace of its own: nothing else is touched.

It sends to two ports and shows which of them answers: with the program attached, and after it is gone.

    python examples/04_drop_port.py
"""

import os
import socket
import sys

import skep

BLOCKED, OPEN = 5555, 5556
PASS, DROP = 2, 1
INSIDE = "--inside"


class Ethernet(skep.Struct):
    addresses: skep.u8[12]
    type: skep.be16


class Ip(skep.Struct):
    length_of_header: skep.u8
    rest: skep.u8[8]
    protocol: skep.u8
    more: skep.u8[10]


class Udp(skep.Struct):
    source: skep.be16
    destination: skep.be16


@skep.xdp
def drop(ctx):
    eth = ctx.view(Ethernet)
    ip = ctx.view(Ip, 14)
    if eth is None or ip is None or eth.type != 0x0800 or ip.protocol != socket.IPPROTO_UDP:
        return PASS
    udp = ctx.view(Udp, 14 + (ip.length_of_header & 15) * 4)
    return DROP if udp is not None and udp.destination == BLOCKED else PASS


def arrives(port: int) -> bool:
    """Whether a packet to a port of this namespace arrives."""
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with receiver, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        receiver.bind(("127.0.0.1", port))
        receiver.settimeout(0.3)
        sender.sendto(b"hello", ("127.0.0.1", port))
        try:
            return receiver.recv(16) == b"hello"
        except TimeoutError:
            return False


def main() -> None:
    if INSIDE not in sys.argv:  # the same file again, where only a loopback device is
        again = (
            f'ip link set lo up && exec "{sys.executable}" "{os.path.abspath(__file__)}" {INSIDE}'
        )
        os.execvp("unshare", ["unshare", "--net", "sh", "-c", again])
    with skep.load(drop) as live:
        live.attach(drop, "lo", mode="generic")
        for port in (BLOCKED, OPEN):
            print(f"attached: port {port} {'answers' if arrives(port) else 'is silent'}")
    print(f"detached: port {BLOCKED} {'answers' if arrives(BLOCKED) else 'is silent'}")


if __name__ == "__main__":
    main()
