"""The table of powers, for kernels that lack something."""

from skep.agent.powers import Refusal, Way
from skep.agent.wiring import powers
from tests.unit.flows.kernels import kernel


def test_without_io_uring_and_multipath_tcp_connections_come_from_what_is_there() -> None:
    ways = next(one.ways for one in powers(kernel()) if one.name == "connections")
    listeners, refused, calls, states = ways
    assert isinstance(listeners, Way)
    assert [one.name for one in listeners.programs] == ["on_accepted", "on_connected", "on_state"]
    assert listeners.narrows == ""
    assert isinstance(refused, Refusal)
    assert refused.reason == "the kernel is built without it"
    assert isinstance(calls, Way)
    assert [one.name for one in calls.programs] == [
        "on_state",
        "on_accept_plain",
        "on_accept4_plain",
    ]
    assert "io_uring" in calls.narrows
    assert "connects that fail before they begin are not told" in calls.narrows
    assert isinstance(states, Way)
    assert [one.name for one in states.programs] == ["on_state"]
