"""The program of socket states as plain Python: orders of events that two real sockets seldom show."""

from collections.abc import Callable
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from skep.flows.programs import connections
from skep.flows.programs.connections import CLOSED, ESTABLISHED, LISTEN, SYN_RECV, SYN_SENT
from skep.flows.programs.records import (
    FAILED,
    PROCESS_UNKNOWN,
    START_UNKNOWN,
    Accept,
    Close,
    Connect,
)
from skep.lang.plain.kernel import FakeKernel

FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT, LAST_ACK = 4, 5, 8, 9
SCTP = 132
PID, UID, CGROUP = 77, 1000, 5
OWNER, PLACE = 2000, 6


class Object(SimpleNamespace):
    """A kernel object at an address."""

    address: int

    def __int__(self) -> int:
        return self.address

    __index__ = __int__


def socket(address: int = 0x1000, protocol: int = 6) -> Any:  # noqa: ANN401 - fields of any type
    """A TCP socket over IPv4 from 10.0.0.1:1234 to 10.0.0.2:80."""
    common = Object(skc_family=2, skc_num=1234, skc_dport=80, skc_rcv_saddr=0x0A000001, skc_flags=0)
    common.skc_daddr, common.skc_v6_daddr = 0x0A000002, Object(in6_u=Object(u6_addr32=[0] * 4))
    place = Object(cgroup=Object(kn=Object(id=PLACE)))
    made = Object(address=address, sk_protocol=protocol, sk_err=0, sk_uid=Object(val=OWNER))
    made.sk_cgrp_data = place
    setattr(made, "__sk_common", common)
    numbers = {"bytes_acked": 0, "bytes_sent": 0, "bytes_retrans": 0, "bytes_received": 0}
    numbers |= {"srtt_us": 80, "total_retrans": 0, "snd_una": 0, "write_seq": 1}
    made.tcp = Object(inet_conn=Object(icsk_inet=Object(inet_sport=1234)), **numbers)
    return made


def current(flags: int = 0) -> Any:  # noqa: ANN401 - as above
    """The task that runs."""
    task = Object(tgid=PID, flags=flags, real_cred=Object(uid=Object(val=UID)))
    task.cgroups = Object(dfl_cgrp=Object(kn=Object(id=CGROUP)))
    task.group_leader = Object(comm="curl")
    return task


@pytest.fixture
def kernel() -> FakeKernel:
    helpers: dict[str, Callable[..., Any]] = {
        "get_current_task_btf": current,
        "skc_to_tcp_sock": lambda sk: sk.tcp,
    }
    return FakeKernel(helpers=helpers, now=100)


def go(kernel: FakeKernel, sk: Any, *states: int) -> list[Any]:  # noqa: ANN401 - as above
    """The socket goes through states, 100 ns each; what was told."""
    for old, new in pairwise(states):
        connections.on_state.py(sk, old, new, kernel=kernel)
        kernel.now += 100
    found: list[Any] = kernel[connections.connections].poll()
    return found


def test_an_own_connection_belongs_to_who_began_it(kernel: FakeKernel) -> None:
    sk = socket()
    opened, closed = go(kernel, sk, CLOSED, SYN_SENT, ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSED)
    assert (type(opened), type(closed)) == (Connect, Close)
    for event in (opened, closed):
        assert (event.pid, event.uid, event.cgroup, event.comm) == (PID, UID, CGROUP, "curl")
        assert (event.sport, event.dport, event.flags) == (1234, 80, 0)
        assert bytes(event.saddr[:4] + event.daddr[:4]) == bytes([10, 0, 0, 1, 10, 0, 0, 2])
    assert (closed.duration_ns, closed.srtt_us) == (300, 10)
    assert len(kernel[connections.open_now]) == 0


def test_both_may_open_at_once(kernel: FakeKernel) -> None:
    (event,) = go(kernel, socket(), CLOSED, SYN_SENT, SYN_RECV, ESTABLISHED)
    assert (type(event), event.pid, event.flags) == (Connect, PID, 0)


def test_a_connection_belongs_to_who_ends_it_where_nobody_was_seen_before(
    kernel: FakeKernel,
) -> None:
    (closed,) = go(kernel, socket(), LISTEN, SYN_RECV, ESTABLISHED, CLOSE_WAIT, LAST_ACK, CLOSED)
    assert (closed.pid, closed.comm, closed.flags) == (PID, "curl", 0)
    (late,) = go(kernel, socket(), ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSED)
    assert (late.pid, late.flags, late.duration_ns) == (PID, START_UNKNOWN, 0)
    assert len(kernel[connections.open_now]) == 0


def test_who_accepts_before_the_handshake_is_over_keeps_it(kernel: FakeKernel) -> None:
    """As with TCP Fast Open."""
    go(kernel, socket(), LISTEN, SYN_RECV)
    assert len(kernel[connections.open_now]) == 1
    kernel[connections.open_now][0x1000] = connections.Connection(pid=5, comm="early")
    (closed,) = go(kernel, socket(), SYN_RECV, ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSED)
    assert (closed.pid, closed.comm, closed.flags) == (5, "early", 0)
    assert closed.duration_ns == 300


def test_a_thread_of_the_kernel_is_not_taken_for_the_process(kernel: FakeKernel) -> None:
    kernel.helpers["get_current_task_btf"] = lambda: current(connections.PF_KTHREAD)
    (closed,) = go(kernel, socket(), LISTEN, SYN_RECV, ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSED)
    assert (closed.pid, closed.uid, closed.flags) == (0, OWNER, PROCESS_UNKNOWN)


def test_a_peers_connection_is_not_told_before_it_is_accepted(kernel: FakeKernel) -> None:
    assert go(kernel, socket(), LISTEN, SYN_RECV, ESTABLISHED) == []
    assert len(kernel[connections.open_now]) == 1


def test_a_handshake_that_a_peer_began_and_did_not_end_is_nothing(kernel: FakeKernel) -> None:
    assert go(kernel, socket(), LISTEN, SYN_RECV, CLOSED) == []


def test_a_listener_that_ends_is_nothing(kernel: FakeKernel) -> None:
    assert go(kernel, socket(), CLOSED, LISTEN, CLOSED) == []


def test_other_protocols_are_nothing(kernel: FakeKernel) -> None:
    assert go(kernel, socket(protocol=SCTP), CLOSED, SYN_SENT, ESTABLISHED, CLOSED) == []


def test_a_socket_that_fails_is_told_once(kernel: FakeKernel) -> None:
    sk = socket()
    sk.sk_err = 110
    (event,) = go(kernel, sk, CLOSED, SYN_SENT, CLOSED, CLOSED)
    assert (event.flags, event.error, event.pid) == (FAILED, 110, PID)
    assert len(kernel[connections.open_now]) == 0


def test_an_attempt_that_began_before_has_the_sockets_owner(kernel: FakeKernel) -> None:
    (event,) = go(kernel, socket(), SYN_SENT, CLOSED)
    assert event.flags == FAILED | PROCESS_UNKNOWN | START_UNKNOWN
    assert (event.pid, event.uid, event.cgroup, event.comm) == (0, OWNER, PLACE, "")
    (event,) = go(kernel, socket(0x2000), SYN_SENT, ESTABLISHED)
    assert event.flags == PROCESS_UNKNOWN | START_UNKNOWN


def test_what_a_lost_end_left_behind_is_not_taken_for_the_next_socket(kernel: FakeKernel) -> None:
    go(kernel, socket(), CLOSED, SYN_SENT, ESTABLISHED)
    assert go(kernel, socket(), LISTEN, SYN_RECV, ESTABLISHED) == []
    (closed,) = go(kernel, socket(), ESTABLISHED, CLOSED)
    assert (closed.pid, closed.flags, closed.duration_ns) == (0, PROCESS_UNKNOWN, 100)


@pytest.mark.parametrize(
    ("state", "acked", "una", "sent"),
    [
        (FIN_WAIT2, 102, 9, 100),
        (LAST_ACK, 102, 9, 100),
        (LAST_ACK, 81, 8, 80),
        (ESTABLISHED, 101, 9, 100),
        (ESTABLISHED, 41, 5, 40),
    ],
)
def test_syn_and_fin_are_no_payload(
    kernel: FakeKernel, state: int, acked: int, una: int, sent: int
) -> None:
    sk = socket()
    go(kernel, sk, CLOSED, SYN_SENT, ESTABLISHED)
    vars(sk.tcp).update(bytes_acked=acked, bytes_sent=500, snd_una=una, write_seq=9)
    (closed,) = go(kernel, sk, state, CLOSED)
    assert closed.sent_bytes == sent


def test_a_fin_that_came_is_no_payload(kernel: FakeKernel) -> None:
    sk = socket()
    sk.tcp.bytes_received = 51
    for flags, received in ((0, 51), (2, 50), (3, 50)):
        vars(sk)["__sk_common"].skc_flags = flags
        (closed,) = go(kernel, sk, ESTABLISHED, CLOSED)
        assert closed.received_bytes == received


def taken(kernel: FakeKernel, sk: Any) -> list[Any]:  # noqa: ANN401 - as above
    """A connection is taken from its listener; what was told."""
    kernel.objects[int(sk)] = sk
    connections.on_accepted.py(None, sk, kernel=kernel)
    found: list[Any] = kernel[connections.connections].poll()
    return found


def test_who_takes_a_connection_from_its_listener_accepts_it(kernel: FakeKernel) -> None:
    sk = socket()
    assert go(kernel, sk, LISTEN, SYN_RECV, ESTABLISHED) == []
    (accepted,) = taken(kernel, sk)
    assert (type(accepted), accepted.pid, accepted.comm) == (Accept, PID, "curl")
    assert (accepted.sport, accepted.dport, accepted.flags) == (1234, 80, 0)
    (closed,) = go(kernel, sk, ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSED)
    assert (closed.pid, closed.flags) == (PID, 0)


def test_what_is_taken_and_was_not_seen_before_has_no_start(kernel: FakeKernel) -> None:
    (accepted,) = taken(kernel, socket())
    assert (accepted.pid, accepted.flags) == (PID, START_UNKNOWN)
    assert taken(kernel, socket(0x2000, SCTP)) == []


def test_a_listener_that_gives_nothing_is_no_accept(kernel: FakeKernel) -> None:
    assert taken(kernel, 0) == []
    assert len(kernel[connections.open_now]) == 0
