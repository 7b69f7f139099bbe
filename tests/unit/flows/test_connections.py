"""Which programs tell of connections."""

import pytest

from skep.base.errors import Unsupported
from skep.btf.reader import Btf
from skep.btf.types import Member, Param
from skep.btf.writer import Builder
from skep.flows import connections


def kernel(arguments: int = 0, *, mptcp: bool = True, register: str = "di") -> Btf:
    """A kernel whose io_uring_complete has so many arguments (0: it has none), with or without MPTCP."""
    make = Builder()
    number = make.integer("unsigned long", 8)
    if arguments:
        params = [Param("", number)] * (1 + arguments)
        make.typedef("btf_trace_io_uring_complete", make.ptr(make.prototype(0, params)))
    if mptcp:
        make.struct("mptcp_sock", 8, [])
    make.struct("pt_regs", 8, [Member(register, number, 0)])
    return Btf(make.build())


CALLS = ["on_state", "on_accept", "on_accept4", "on_connect"]
PLAIN = ["on_state", "on_accept_plain", "on_accept4_plain", "on_connect"]


@pytest.mark.parametrize(
    ("types", "names"),
    [
        (kernel(3), [*CALLS, "on_io_uring"]),
        (kernel(7), [*CALLS, "on_io_uring_before"]),
        (kernel(3, mptcp=False), [*PLAIN, "on_io_uring"]),
    ],
    ids=["6.16", "before", "without MPTCP"],
)
def test_accepts_come_from_the_calls_and_the_rest_from_the_states(
    types: Btf, names: list[str]
) -> None:
    assert [one.name for one in connections.programs(types)] == names
    assert [one.name for one in connections.calls_only(types)] == names[:4]
    assert [one.name for one in connections.states_only()] == ["on_state"]
    assert [one.name for one in connections.from_listeners()] == [
        "on_accepted",
        "on_connected",
        "on_state",
    ]


def test_without_io_uring_its_accepts_are_refused_and_the_rest_is_told() -> None:
    with pytest.raises(Unsupported, match="the kernel is built without it"):
        connections.programs(kernel())
    assert [one.name for one in connections.calls_only(kernel())] == CALLS


def test_where_a_call_leaves_no_arguments_its_failures_are_not_told() -> None:
    assert connections.attempts(kernel()) != connections.WITHOUT_ATTEMPTS
    other = kernel(3, register="regs")
    assert connections.attempts(other) == connections.WITHOUT_ATTEMPTS
    assert [one.name for one in connections.programs(other)] == [*CALLS[:3], "on_io_uring"]


def test_the_ring_and_the_map_have_names_that_others_find_them_by() -> None:
    assert (connections.connections.name, connections.open_now.name) == ("connections", "tcp_open")
    assert [one.__name__ for one in connections.connections.records] == [
        "Connect",
        "Accept",
        "Close",
    ]
