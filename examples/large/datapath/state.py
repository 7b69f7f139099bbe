"""What the datapath knows: its maps, the verdicts, and what a drop tells.

Both programs of a pod share all of it. Python fills ``identities``, ``policies``, ``services`` and what belongs to
them (``desired``); ``connections`` are the programs' own.
"""

from enum import IntEnum

from examples.large.datapath.wire import Address
from skep import (
    Array,
    Global,
    Hash,
    Lpm,
    LruHash,
    PerCpuArray,
    Prefix6,
    Record,
    Ring,
    Struct,
    be16,
    u8,
    u16,
    u32,
    u64,
)

OUT, IN, SERVICE = 0, 1, 2
"""Who opened a connection: the pod, a peer; or the pod towards a service, before a backend was chosen."""
ANY, WORLD = 0, 1
"""Identities: whoever it is, in policies; and those of whom nothing else is known."""
ALLOW, DENY = 1, 2
LONGEST = 16
TABLE = 1021
"""Places in a service's Maglev table: a prime, so that each backend's walk meets all of them."""
SERVICES, BACKENDS = 16, 256


class Verdict(IntEnum):
    """What became of a packet; those from SHORT on are drops."""

    NEW = 0
    ESTABLISHED = 1
    REPLY = 2
    RELATED = 3
    CONTROL = 4
    SHORT = 8
    MALFORMED = 9
    ETHERTYPE = 10
    PROTOCOL = 11
    FRAGMENT = 12
    DENIED = 13
    NOT_ALLOWED = 14
    UNRELATED = 15
    NO_BACKEND = 16
    NO_ROOM = 17
    NOT_REWRITTEN = 18


VERDICTS = 32


class Flow(Struct):
    """A connection's two ends, seen from the one that opened it; of an echo, the id is the source's port."""

    source: Address
    destination: Address
    source_port: be16
    destination_port: be16
    protocol: u8
    opened: u8
    unused: u16


class State(IntEnum):
    """Where a connection is; each has its timeout."""

    TCP_OPENING = 0
    TCP_OPEN = 1
    TCP_CLOSING = 2
    ASKED = 3
    ANSWERED = 4
    ECHO = 5


class Connection(Struct):
    """``seen``: the bits of ``track``. ``revision``: of the policies, when they allowed it."""

    expires: u64
    seen: u32
    revision: u32
    service: u16  # its number and 1, where the destination is a backend of one
    backend: u16
    unused: u32


class PolicyKey(Struct):
    """Whom, and the first ``bits`` of a port; protocol 0 is any, with 0 bits."""

    identity: u32
    port: u16
    bits: u8
    protocol: u8
    direction: u32


class Shape(Struct):
    """Of the policies as they are: a bit for each length of port prefix that occurs, and how often they changed."""

    lengths: u32
    revision: u32


class Settings(Struct):
    """Fixed while the programs are loaded: whether what no policy names is refused, and seconds by ``State``."""

    default_deny: u8[2]
    timeouts: u32[8]


class ServiceKey(Struct):
    address: Address
    port: be16
    protocol: u8
    unused: u8


class Place(Struct):
    """One end of a flow: a backend, or a service."""

    address: Address
    port: be16
    protocol: u16


class Count(Struct):
    packets: u64
    bytes: u64


class Drop(Record):
    """A packet that went no further."""

    source: u8[16]
    destination: u8[16]
    source_port: be16
    destination_port: be16
    protocol: u8
    direction: u8
    reason: u8
    unused: u8
    identity: u32
    bytes: u32


SECONDS = {
    State.TCP_OPENING: 60,
    State.TCP_OPEN: 8000,
    State.TCP_CLOSING: 10,
    State.ASKED: 30,
    State.ANSWERED: 120,
    State.ECHO: 30,
}

identities = Lpm(Prefix6, u32, 65536)
policies = Hash(PolicyKey, u8, 16384)
shape = Global(Shape)
settings = Global(Settings, Settings([1, 1], [*SECONDS.values(), 0, 0]), constant=True)
connections = LruHash(Flow, Connection, 65536)
services = Hash(ServiceKey, u32, SERVICES)
frontends = Array(Place, SERVICES)
maglev = Array(u16, SERVICES * TABLE)
backends = Array(Place, BACKENDS)
counts = PerCpuArray(Count, 2 * VERDICTS)
drops = Ring(Drop)
