"""The programs of attempts that failed before they began, as plain Python."""

import struct
from collections.abc import Callable
from typing import Any

import pytest

from skep.flows.programs import attempts, connections
from skep.flows.programs.connections import CLOSED, LISTEN, SYN_SENT
from skep.flows.programs.records import FAILED, Connect
from skep.lang.plain.kernel import FakeKernel
from tests.unit.flows.test_connection_states import (
    CGROUP,
    PID,
    SCTP,
    UID,
    Object,
    current,
    go,
    socket,
)

UNREACHABLE = 101
INET, INET6, UNIX = 2, 10, 1
STREAM, RAW = 1, 3
V4 = struct.pack("<H", INET) + struct.pack("!H", 443) + bytes([240, 0, 0, 1]) + bytes(8)
V6 = struct.pack("<H", INET6) + struct.pack("!HI", 443, 7) + bytes([0x20, 1]) + bytes(13) + b"\5"
MAPPED = V6[:8] + bytes(10) + b"\xff\xff" + bytes([10, 0, 0, 9])
SOCK, ADDRESS = 0x1000, 0x5000


def fresh(**fields: Any) -> Any:  # noqa: ANN401 - a socket, its fields of any type
    """A socket with which nothing has begun."""
    sk = socket()
    common = vars(sk)["__sk_common"]
    vars(common).update(skc_state=CLOSED, skc_num=0, skc_dport=0, skc_rcv_saddr=0)
    common.skc_v6_rcv_saddr = Object(in6_u=Object(u6_addr8=[0] * 16))
    sk.sk_type, sk.write_seq, sk.is_mptcp = STREAM, 0, 0
    sk.tcp.write_seq = 0
    for name, value in fields.items():
        setattr(common if name.startswith("skc_") else sk, name, value)
    return sk


@pytest.fixture
def kernel() -> FakeKernel:
    helpers: dict[str, Callable[..., Any]] = {
        "get_current_task_btf": current,
        "skc_to_tcp_sock": lambda sk: sk.tcp,
    }
    return FakeKernel(helpers=helpers, now=100)


def tried(kernel: FakeKernel, sk: Any, address: bytes, result: int = -UNREACHABLE) -> list[Any]:  # noqa: ANN401 - as above
    """A connect is over; what was told."""
    kernel.objects |= {int(sk): sk, ADDRESS: address}
    kernel.objects |= {ADDRESS + 8: address[8:]}
    sock = Object(sk=sk)
    attempts.on_connected.py(sock, ADDRESS, len(address), 0, 0, result, kernel=kernel)
    found: list[Any] = kernel[connections.connections].poll()
    return found


@pytest.mark.parametrize(
    ("address", "family", "to"),
    [
        (V4, INET, bytes([240, 0, 0, 1]) + bytes(12)),
        (V6, INET6, V6[8:]),
        (MAPPED, INET, bytes([10, 0, 0, 9]) + bytes(12)),
    ],
    ids=["IPv4", "IPv6", "IPv4 in an IPv6 socket"],
)
def test_an_attempt_that_never_began_is_told_with_where_it_was_to_go(
    kernel: FakeKernel, address: bytes, family: int, to: bytes
) -> None:
    (event,) = tried(kernel, fresh(), address)
    assert (type(event), event.flags, event.error) == (Connect, FAILED, UNREACHABLE)
    assert (event.pid, event.uid, event.cgroup, event.comm) == (PID, UID, CGROUP, "curl")
    assert (event.family, event.sport, event.dport) == (family, 0, 443)
    assert bytes(event.daddr) == to
    assert not any(event.saddr)


def test_what_it_was_bound_to_is_told(kernel: FakeKernel) -> None:
    (event,) = tried(kernel, fresh(skc_num=99, skc_rcv_saddr=0x0A000001), V4)
    assert (event.sport, bytes(event.saddr[:4])) == (99, bytes([10, 0, 0, 1]))


@pytest.mark.parametrize(
    ("sk", "address", "result"),
    [
        (fresh(), V4, 0),
        (fresh(skc_state=SYN_SENT, write_seq=5), V4, -115),
        (fresh(write_seq=5), V4, -111),
        (fresh(skc_state=LISTEN), V4, -106),
        (fresh(sk_protocol=SCTP), V4, -UNREACHABLE),
        (fresh(sk_type=RAW), V4, -UNREACHABLE),
        (fresh(skc_family=UNIX), V4, -UNREACHABLE),
        (fresh(is_mptcp=1), V4, -UNREACHABLE),
        (fresh(), V4[:15], -22),
        (fresh(), V6[:23], -22),
        (fresh(), b"\x01\0" + V4[2:], -97),
    ],
    ids=[
        "it began",
        "it goes on",
        "it had begun",
        "a listener",
        "another protocol",
        "a raw socket",
        "another family",
        "a subflow of another that is told",
        "too short",
        "too short for IPv6",
        "no address",
    ],
)
def test_what_is_no_such_attempt_is_not_told(
    kernel: FakeKernel,
    sk: Any,  # noqa: ANN401 - as above
    address: bytes,
    result: int,
) -> None:
    assert tried(kernel, sk, address, result) == []


def test_one_that_was_given_up_before_its_first_segment_is_told_once(kernel: FakeKernel) -> None:
    sk = fresh()
    (event,) = go(kernel, sk, CLOSED, SYN_SENT, CLOSED)
    assert (event.flags, event.error) == (FAILED, connections.EADDRNOTAVAIL)
    assert tried(kernel, sk, V4, -connections.EADDRNOTAVAIL) == []
    assert len(kernel[connections.open_now]) == 0
    assert len(tried(kernel, sk, V4)) == 1
