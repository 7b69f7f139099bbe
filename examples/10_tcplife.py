"""Lifetimes of TCP connections: who had them, both ends, bytes of payload, how long. It ends with Ctrl-C.

The process is the one that opened the connection, or else the first that began to close it, or 0: packets, which
change the other states, come in the name of whatever runs. What was open before the start is not told.

    python examples/10_tcplife.py [--for SECONDS]
"""

import argparse
import socket
import time
from contextlib import suppress

import skep

ESTABLISHED, SYN_SENT, FIN_WAIT1, CLOSED, LAST_ACK = 1, 2, 4, 7, 9
FIN = 1 << 1  # of skc_flags: the peer's FIN came, and was counted as a byte


class Birth(skep.Struct):
    time: skep.u64
    pid: skep.u32
    comm: skep.char[16]


ENDS = {"address": skep.Address("family"), "peer": skep.Address("family")}


class Life(skep.Record, forms=ENDS):
    since: skep.u64
    sent: skep.u64
    received: skep.u64
    pid: skep.u32
    comm: skep.char[16]
    address: skep.be32[4]
    peer: skep.be32[4]
    family: skep.u16
    port: skep.u16
    peer_port: skep.u16


births = skep.LruHash(skep.u64, Birth, 65536)
lives = skep.Ring(Life)


@skep.tp_btf("inet_sock_set_state")
def on_state(sk, old, new):
    if sk.sk_protocol != socket.IPPROTO_TCP:
        return
    key = skep.u64(sk)
    birth = births.lookup(key)
    if new == SYN_SENT or (new == ESTABLISHED and birth is None):
        first = Birth()
        if new == SYN_SENT:
            claim(first)
        else:
            first.time = skep.ktime_get_boot_ns()
        births[key] = first
    elif birth is None:
        return
    elif new == ESTABLISHED:
        birth.time = skep.ktime_get_boot_ns()
    elif new == CLOSED:
        if birth.time:
            tell(sk, birth)
        del births[key]
    elif birth.pid == 0 and new in (FIN_WAIT1, LAST_ACK):
        claim(birth)


def claim(birth):
    birth.pid = skep.u32(skep.get_current_pid_tgid() >> 32)
    skep.get_current_comm(birth.comm)


def tell(sk, birth):
    tcp = skep.skc_to_tcp_sock(sk)
    life = lives.reserve()
    if life is None:
        return
    life.since, life.pid, life.comm = birth.time, birth.pid, birth.comm
    common = sk.__sk_common  # noqa: SLF001 - the kernel's name
    life.family = common.skc_family
    life.peer_port = common.skc_dport
    if tcp is not None:
        life.port = tcp.inet_conn.icsk_inet.inet_sport
        life.sent = tcp.bytes_sent - tcp.bytes_retrans
        life.received = tcp.bytes_received - (common.skc_flags & FIN) // FIN
    if life.family == socket.AF_INET6:
        life.address = common.skc_v6_rcv_saddr.in6_u.u6_addr32
        life.peer = common.skc_v6_daddr.in6_u.u6_addr32
    else:
        life.address[0] = common.skc_rcv_saddr
        life.peer[0] = common.skc_daddr
    life.submit()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--for", dest="seconds", type=float, default=float("inf"))
    until = time.monotonic() + parser.parse_args().seconds
    with skep.load(on_state) as live, suppress(KeyboardInterrupt):
        print(f"{'PID':>8} {'COMMAND':16} {'SENT':>9} {'RECEIVED':>9} {'MS':>9} ENDS", flush=True)
        while (left := until - time.monotonic()) > 0:
            for one in live[lives].poll(min(1, left)):
                shown = skep.shown(one)
                took = (one.time - one.since) / 1e6
                print(
                    f"{one.pid:8} {one.comm:16} {one.sent:9} {one.received:9} {took:9.1f}",
                    f"{shown['address']} {one.port} > {shown['peer']} {one.peer_port}",
                    flush=True,
                )
        if live[lives].lost:
            print(f"{live[lives].lost} were lost: the ring was full")


if __name__ == "__main__":
    main()
