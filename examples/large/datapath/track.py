"""Connections: whose packets go on, which way they go, and how long each is remembered.

A connection is kept as the flow of the one that opened it, so that a packet belongs to one as it stands or turned
around. Flows that the pod opens and those that peers open are apart: two pods of one node may share the map.
"""

import skep
from examples.large.datapath.state import (
    Connection,
    Flow,
    State,
    Verdict,
    connections,
    settings,
    shape,
)
from skep import u8, u16, u32, u64
from skep.lang.library.headers import Protocol, TcpFlag

ANSWERED, ENDED, ENDED_BACK, RESET = 1, 2, 4, 8
OVER = ENDED | ENDED_BACK
SECOND = 1_000_000_000


@skep.inline
def find(flow, direction, now: u64):
    """The connection that a packet belongs to, or None; and whether the packet goes back to the one that opened it."""
    flow.opened = direction
    known = connections.lookup(flow)
    if known is not None and known.expires > now:
        return known, False
    back = Flow(
        source=flow.destination,
        destination=flow.source,
        source_port=flow.destination_port,
        destination_port=flow.source_port,
        protocol=flow.protocol,
        opened=1 - direction,
    )
    answered = connections.lookup(back)
    if answered is not None and answered.expires > now:
        return answered, True
    return None, False


@skep.inline
def opens(flags: u8):
    """Whether a segment asks for a new connection."""
    return flags & (TcpFlag.SYN | TcpFlag.ACK) == TcpFlag.SYN


@skep.inline
def over(seen: u32):
    return seen & RESET != 0 or seen & OVER == OVER


@skep.inline
def state(protocol, seen: u32):
    if protocol == Protocol.UDP:
        return u32(State.ANSWERED) if seen & ANSWERED else u32(State.ASKED)
    if protocol != Protocol.TCP:
        return u32(State.ECHO)
    if over(seen):
        return u32(State.TCP_CLOSING)
    return u32(State.TCP_OPEN) if seen & ANSWERED else u32(State.TCP_OPENING)


@skep.inline
def timeout(protocol, seen: u32):
    """How long a connection is remembered after a packet, in ns."""
    return u64(settings.timeouts[state(protocol, seen) & 7]) * SECOND


@skep.inline
def touch(connection, protocol, flags: u8, reply, now: u64):
    """Note what a packet says of its connection."""
    news = ANSWERED if reply else 0
    if flags & TcpFlag.FIN:
        news |= ENDED_BACK if reply else ENDED
    if flags & TcpFlag.RST:
        news |= RESET
    if news & ~connection.seen:
        skep.atomic_or(connection.seen, news)
    connection.expires = now + timeout(protocol, connection.seen)


@skep.inline
def start(flow, service: u16, backend: u16, now: u64):
    """Remember a connection by its first packet."""
    made = Connection(
        expires=now + timeout(flow.protocol, 0),
        revision=shape.revision,
        service=service,
        backend=backend,
    )
    return Verdict.NEW if connections.update(flow, made, 0) == 0 else Verdict.NO_ROOM
