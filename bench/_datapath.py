"""What the datapath of a pod is measured with: the commonest packets, each of a connection that is known."""

from collections.abc import Callable
from ipaddress import ip_address

from examples.large.datapath.desired import Rule, encoded
from examples.large.datapath.state import OUT, Connection, Flow, connections
from skep.lang.library.headers import Protocol
from skep.program.live import Live
from tests.unit.large.datapath_packets import ACK, Ends, tcp
from tests.unit.large.datapath_scenes import PEERS, shaped

ENDS = Ends("10.1.0.1", "10.2.0.2")
DATA = bytes(64)
FOREVER = (1 << 63) - 1


def sending(live: Live) -> Callable[[int], int]:
    """A segment that the pod sends to a peer, on a connection that a policy allowed."""
    shaped(live).allow(Rule(PEERS, OUT, Protocol.TCP, range(80, 90)))
    program = live.programs["from_pod"]
    program.test_run(tcp(ENDS))
    return lambda times: program.test_run(tcp(ENDS, ACK, DATA), repeat=times).duration_ns


def getting(live: Live) -> Callable[[int], int]:
    """A segment that a peer answers with."""
    shaped(live)
    source, destination = (encoded(ip_address(one)) for one in (ENDS.source, ENDS.destination))
    opened = Flow(source, destination, ENDS.source_port, ENDS.destination_port, Protocol.TCP, OUT)
    live[connections][opened] = Connection(FOREVER)
    program = live.programs["to_pod"]
    return lambda times: program.test_run(tcp(ENDS.back, ACK, DATA), repeat=times).duration_ns
