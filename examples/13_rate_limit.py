"""An XDP program that lets each IPv4 source send so many packets a second, and some more at once, by a token bucket.

It runs in a network namespace of its own. There, one address sends a flood, and another a few packets: what arrives?
A bucket is one number, the time at which it will be full again, so that CPUs change it at once without a lock.

    python examples/13_rate_limit.py
"""

import os
import socket
import sys

import skep

PER_SECOND, AT_ONCE = 1, 20  # packets
COST = 1_000_000_000 // PER_SECOND
PASS, DROP = 2, 1
INSIDE, PORT = "--inside", 5555


class Ethernet(skep.Struct):
    addresses: skep.u8[12]
    type: skep.be16


class Ip(skep.Struct):
    head: skep.u8[12]
    source: skep.u32
    destination: skep.u32


full_at = skep.LruHash(skep.u32, skep.u64, 65536)


@skep.xdp
def limit(ctx):
    eth = ctx.view(Ethernet)
    ip = ctx.view(Ip, 14)
    if eth is None or ip is None or eth.type != 0x0800:
        return PASS
    source, now = ip.source, skep.ktime_get_ns()
    bucket = full_at.lookup(source)
    if bucket is None:
        if full_at.update(source, now + COST, 1) == 0:
            return PASS
        bucket = full_at.lookup(source)  # another CPU was faster
    for _ in range(8):
        if bucket is None:
            break
        before = skep.u64(bucket[0])
        after = max(before, now) + COST
        if after > now + AT_ONCE * COST:
            return DROP
        if skep.atomic_cmpxchg(bucket, before, after) == before:
            return PASS
    return DROP


def arrive(receiver: socket.socket, source: str, packets: int) -> int:
    """How many packets of a source arrive."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((source, 0))
        for _ in range(packets):
            sender.sendto(b"hello", ("127.0.0.1", PORT))
    arrived = 0
    while True:
        try:
            receiver.recv(16, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return arrived
        arrived += 1


def main() -> None:
    if INSIDE not in sys.argv:  # the same file again, where only a loopback device is
        again = (
            f'ip link set lo up && exec "{sys.executable}" "{os.path.abspath(__file__)}" {INSIDE}'
        )
        os.execvp("unshare", ["unshare", "--net", "sh", "-c", again])
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with skep.load(limit) as live, receiver:
        receiver.bind(("127.0.0.1", PORT))
        live.attach(limit, "lo", mode="generic")
        for source, packets in (("127.0.0.2", 100), ("127.0.0.3", 10)):
            print(f"{source} sent {packets}, arrived: {arrive(receiver, source, packets)}")
        print(f"buckets: {len(live[full_at])}")


if __name__ == "__main__":
    main()
