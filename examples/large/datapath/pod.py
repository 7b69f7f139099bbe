"""The two programs of a pod, on the node's end of its veth pair.

A packet goes through the steps parse, service (only what the pod sends), track, policy, nat and report. What belongs
to no connection is judged by the policies; so is each connection once when they have changed. Replies pass.
"""

import skep
from examples.large.datapath import nat, parse, policy, report, service, track
from examples.large.datapath.state import (
    IN,
    OUT,
    Flow,
    Place,
    Verdict,
    connections,
    frontends,
    shape,
)
from skep import u16, u32, u64
from skep.lang.library.headers import Protocol


@skep.inline
def handle(ctx, direction):
    """What becomes of a packet that the pod sends, or is to get."""
    flow = Flow()
    peer = u32(0)
    parse.reachable(ctx)
    verdict, at = parse.network(ctx, flow)
    if verdict == Verdict.NEW:
        verdict, flags = parse.transport(ctx, flow, at)
        if verdict == Verdict.NEW:
            verdict, peer = connected(ctx, flow, at, flags, direction)
        elif verdict == Verdict.RELATED:
            verdict = related(ctx, flow, at, direction)
    return report.finish(ctx, flow, direction, peer, verdict)


@skep.inline
def connected(ctx, flow, at: u32, flags, direction):
    """The way of a packet of a connection: a verdict, and the peer's identity where that was looked at."""
    now = skep.ktime_get_coarse_ns()
    number = u16(0)
    was = Place(flow.destination, flow.destination_port, flow.protocol)
    if direction == OUT:
        verdict, number = service.choose(flow, flags, now)
        if verdict != Verdict.NEW:
            return verdict, u32(0)
    verdict, peer, replied = passed(flow, flags, direction, number, now)
    if verdict >= Verdict.SHORT:
        return verdict, peer
    if direction == OUT and number != 0:
        becomes = Place(flow.destination, flow.destination_port, flow.protocol)
        if not nat.destination(ctx, at, was, becomes):
            return Verdict.NOT_REWRITTEN, peer
    if direction == IN and replied != 0 and not from_service(ctx, flow, at, replied):
        return Verdict.NOT_REWRITTEN, peer
    return verdict, peer


@skep.inline
def passed(flow, flags, direction, number: u16, now: u64):
    """Whether a packet may pass: as part of a connection, or by the policies. The last is a reply's service."""
    known, back = track.find(flow, direction, now)
    if known is not None and track.opens(flags) and (back or track.over(known.seen)):
        known = None
    if known is not None and (back or known.revision == shape.revision):
        track.touch(known, flow.protocol, flags, back, now)
        return (Verdict.REPLY if back else Verdict.ESTABLISHED), u32(0), known.service
    peer = policy.identity(flow, direction)
    verdict = policy.judge(flow, peer, direction)
    if verdict != Verdict.NEW:
        connections.delete(flow)
    elif known is not None:
        known.revision = shape.revision
        track.touch(known, flow.protocol, flags, back, now)
        verdict = Verdict.ESTABLISHED
    else:
        verdict = track.start(flow, number, u16(0), now)
    return verdict, peer, u16(0)


@skep.inline
def from_service(ctx, flow, at: u32, number: u16):
    """Let a backend's reply come from the service that the pod knows."""
    front = frontends.lookup(u32(number) - 1)
    if front is None:
        return False
    was = Place(flow.source, flow.source_port, flow.protocol)
    return nat.source(ctx, at, was, front)


@skep.inline
def related(ctx, flow, at: u32, direction):
    """An ICMP error passes where the packet that it is about belongs to a connection."""
    quoted = Flow()
    old = flow.protocol == Protocol.ICMP
    verdict, inside = parse.quoted(ctx, quoted, at + parse.ICMP_HEADER, old)
    if verdict != Verdict.NEW:
        return Verdict.UNRELATED
    known, back = track.find(quoted, 1 - direction, skep.ktime_get_coarse_ns())
    if known is None:
        return Verdict.UNRELATED
    number = known.service
    if direction == IN and not back and number != 0:
        return about_service(ctx, quoted, at, inside, number)
    return Verdict.RELATED


@skep.inline
def about_service(ctx, quoted, at: u32, inside: u32, number: u16):
    """Let an error be about the service that the pod knows, and not about its backend."""
    front = frontends.lookup(u32(number) - 1)
    was = Place(quoted.destination, quoted.destination_port, quoted.protocol)
    if front is None or not nat.quoted(ctx, at, inside, was, front):
        return Verdict.NOT_REWRITTEN
    return Verdict.RELATED


@skep.tc("ingress")
def from_pod(ctx):
    return handle(ctx, OUT)


@skep.tc("egress")
def to_pod(ctx):
    return handle(ctx, IN)
