"""Who the peer is, and what the policies say of it.

Of the entries that fit a packet the most particular one decides: one for the peer's identity before one for anybody,
then the longer port prefix, then the one for a protocol. Where there is none, the default of the direction does.
"""

import skep
from examples.large.datapath.state import (
    ALLOW,
    ANY,
    LONGEST,
    OUT,
    WORLD,
    PolicyKey,
    Verdict,
    identities,
    policies,
    settings,
    shape,
)
from skep import Prefix6, u32

ADDRESS_BITS = 128


@skep.inline
def identity(flow, direction):
    """The peer's identity: that of the longest prefix of its address."""
    prefix = Prefix6(bits=ADDRESS_BITS)
    prefix.address = flow.destination.bytes if direction == OUT else flow.source.bytes
    found = identities.lookup(prefix)
    return found if found is not None else u32(WORLD)


@skep.inline
def entry(key, port: u32, protocol):
    """What the policies of one identity say: ALLOW, DENY, or 0 where they say nothing."""
    key.protocol = protocol
    for missing in range(LONGEST + 1):
        if not shape.lengths >> (LONGEST - missing) & 1:
            continue
        key.bits = LONGEST - missing
        key.port = port >> missing << missing
        found = policies.lookup(key)
        if found is not None:
            return u32(found)
    key.protocol = 0
    key.bits = 0
    key.port = 0
    found = policies.lookup(key)
    return u32(found) if found is not None else u32(0)


@skep.noinline
def judge(flow, peer: u32, direction: u32):
    """NEW where the peer may, or why not."""
    key = PolicyKey(identity=peer, direction=direction)
    said = entry(key, flow.destination_port, flow.protocol)
    if said == 0:
        key.identity = ANY
        said = entry(key, flow.destination_port, flow.protocol)
    if said == 0:
        return Verdict.NOT_ALLOWED if settings.default_deny[direction & 1] else Verdict.NEW
    return Verdict.NEW if said == ALLOW else Verdict.DENIED
