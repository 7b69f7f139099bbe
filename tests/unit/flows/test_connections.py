"""Which programs tell of connections."""

from skep.flows import connections


def test_accepts_come_from_the_calls_and_the_rest_from_the_states() -> None:
    assert [one.name for one in connections.programs()] == ["on_state", "on_accept", "on_accept4"]
    assert [one.name for one in connections.states_only()] == ["on_state"]


def test_the_ring_and_the_map_have_names_that_others_find_them_by() -> None:
    assert (connections.connections.name, connections.open_now.name) == ("connections", "tcp_open")
    assert [one.__name__ for one in connections.connections.records] == [
        "Connect",
        "Accept",
        "Close",
    ]
