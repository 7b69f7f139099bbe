"""Services: an address and a port that stand for several backends.

A new connection goes to the backend that the service's Maglev table has at the flow's hash. Its choice is remembered,
so that it stays when the table changes, for as long as that backend is there.
"""

import skep
from examples.large.datapath import track
from examples.large.datapath.state import (
    SERVICE,
    SERVICES,
    TABLE,
    ServiceKey,
    Verdict,
    backends,
    connections,
    maglev,
    services,
)
from skep import u8, u16, u32, u64

FACTOR = 0x9E3779B1


@skep.inline
def mixed(hashed: u32, word: u32):
    hashed = (hashed ^ word) * FACTOR
    return hashed ^ hashed >> 15


@skep.inline
def spread(flow):
    """A hash of a flow, the same on all nodes."""
    hashed = u32(flow.protocol)
    for i in range(4):
        hashed = mixed(hashed, flow.source.words[i])
    for i in range(4):
        hashed = mixed(hashed, flow.destination.words[i])
    return mixed(hashed, u32(flow.source_port) << 16 | flow.destination_port)


@skep.inline
def remembered(flow, flags: u8, now: u64):
    """The backend of a connection that goes on; 0 where a new one begins."""
    known = connections.lookup(flow)
    if known is None or known.expires <= now or track.opens(flags):
        return u16(0)
    known.expires = now + track.timeout(flow.protocol, track.ANSWERED)
    return known.backend


@skep.inline
def chosen(flow, number: u32):
    """The backend that the table has for a flow; 0 where it has none."""
    place = maglev.lookup(number * TABLE + spread(flow) % TABLE)
    return place if place is not None else u16(0)


@skep.inline
def choose(flow, flags: u8, now: u64):
    """Turn a flow to a backend, where it goes to a service. Gives a verdict, and the service's number plus 1."""
    key = ServiceKey(flow.destination, flow.destination_port, flow.protocol)
    number = services.lookup(key)
    if number is None or number >= SERVICES:
        return Verdict.NEW, u16(0)
    service = u16(number) + 1
    flow.opened = SERVICE
    known = remembered(flow, flags, now)
    backend = backends.lookup(known)
    if backend is None or backend.port == 0:
        known = chosen(flow, number)
        backend = backends.lookup(known)
        if backend is None or backend.port == 0:
            return Verdict.NO_BACKEND, service
        if track.start(flow, service, known, now) != Verdict.NEW:
            return Verdict.NO_ROOM, service
    flow.destination = backend.address
    flow.destination_port = backend.port
    return Verdict.NEW, u16(service)
