"""What is told of a packet at its end: a count by verdict and direction, and a record where it was dropped."""

import skep
from examples.large.datapath.state import VERDICTS, Verdict, counts, drops

GO_ON, DROPPED = -1, 2


@skep.inline
def finish(ctx, flow, direction, peer, verdict):
    """Count, tell, and give tc its verdict."""
    count = counts.lookup(direction * VERDICTS + verdict)
    if count is not None:
        count.packets += 1
        count.bytes += ctx.len
    if verdict < Verdict.SHORT:
        return GO_ON
    drop = drops.reserve()
    if drop is not None:
        drop.source = flow.source.bytes
        drop.destination = flow.destination.bytes
        drop.source_port = flow.source_port
        drop.destination_port = flow.destination_port
        drop.protocol = flow.protocol
        drop.direction = direction
        drop.reason = verdict
        drop.identity = peer
        drop.bytes = ctx.len
        drop.submit()
    return DROPPED
