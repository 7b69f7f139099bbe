"""Bytes by TCP port, counted by two tc programs in a network namespace of its own, while a megabyte is sent there.

python examples/05_bytes.py
"""

import os
import socket
import sys
import threading

import skep

INSIDE, PORT, SIZE = "--inside", 8080, 1 << 20


class Headers(skep.Struct):
    addresses: skep.u8[12]
    type: skep.be16
    version: skep.u8
    rest: skep.u8[8]
    protocol: skep.u8
    more: skep.u8[10]
    source: skep.be16
    destination: skep.be16


sent = skep.Hash(skep.u32, skep.u64, 1024)
received = skep.Hash(skep.u32, skep.u64, 1024)


@skep.tc("egress")
def on_egress(ctx):
    packet = ctx.view(Headers)
    if packet is not None and packet.protocol == socket.IPPROTO_TCP:
        sent.increment(packet.source, ctx.len)


@skep.tc("ingress")
def on_ingress(ctx):
    packet = ctx.view(Headers)
    if packet is not None and packet.protocol == socket.IPPROTO_TCP:
        received.increment(packet.destination, ctx.len)


def transfer() -> int:
    """Send bytes over loopback; gives how many arrived."""
    with socket.create_server(("127.0.0.1", PORT)) as server:
        client = socket.create_connection(("127.0.0.1", PORT))
        accepted, _ = server.accept()
    with accepted, client:
        sender = threading.Thread(target=accepted.sendall, args=(bytes(SIZE),))
        sender.start()
        arrived = 0
        while arrived < SIZE:
            arrived += len(client.recv(65536))
        sender.join()
        return arrived


def main() -> None:
    if INSIDE not in sys.argv:  # the same file again, where only a loopback device is
        again = (
            f'ip link set lo up && exec "{sys.executable}" "{os.path.abspath(__file__)}" {INSIDE}'
        )
        os.execvp("unshare", ["unshare", "--net", "sh", "-c", again])
    with skep.load(on_egress, on_ingress) as live:
        live.attach(on_egress, "lo")
        live.attach(on_ingress, "lo")
        print(f"{transfer()} bytes arrived through port {PORT}; with headers, at each port:")
        for way, counted in (("sent", sent), ("received", received)):
            for port, count in sorted(live[counted].items()):
                print(f"{port:8} {way:8} {count:9}")


if __name__ == "__main__":
    main()
