"""Rows that have an end at an address or a port."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep.agent import endpoints
from skep.events.batch import Batch
from skep.flows.programs.records import Connect, Drop
from skep.node.programs.records import Exec

FAMILIES = {4: 2, 6: 10}


def connect(source: str, sport: int, destination: str, dport: int) -> Connect:
    one, other = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    return Connect(
        family=FAMILIES[one.version],
        sport=sport,
        dport=dport,
        saddr=one.packed.ljust(16, b"\0"),
        daddr=other.packed.ljust(16, b"\0"),
    )


BATCH = Batch.of(
    Connect,
    [
        connect("10.0.0.1", 40000, "192.0.2.7", 443),
        connect("127.0.0.1", 443, "127.0.0.1", 41000),
        connect("fd00::1", 42000, "2001:db8::2", 5432),
        connect("a00:1::", 43000, "::1", 80),
    ],
)


@pytest.mark.parametrize(
    ("ports", "rows"), [({443}, [0, 1]), ({41000, 5432}, [1, 2]), ({0}, []), ({65535}, [])]
)
def test_either_end_may_have_the_port(ports: set[int], rows: list[int]) -> None:
    assert endpoints.at_port(BATCH, frozenset(ports)).nonzero()[0].tolist() == rows


@pytest.mark.parametrize(
    ("networks", "rows"),
    [
        (("10.0.0.1/32",), [0]),
        (("192.0.2.0/24", "127.0.0.0/8"), [0, 1]),
        (("fd00::/8",), [2]),
        (("2001:db8::2/128",), [2]),
        (("::1/128",), [3]),
        (("10.0.0.2/32",), []),
        (("0.0.0.0/0",), [0, 1]),
        (("::/0",), [2, 3]),
    ],
)
def test_either_end_may_be_in_the_network(networks: tuple[str, ...], rows: list[int]) -> None:
    assert endpoints.at_address(BATCH, networks).nonzero()[0].tolist() == rows


@given(st.ip_addresses(), st.integers(0, 128))
def test_what_is_inside_is_what_the_library_says(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, prefix: int
) -> None:
    network = ipaddress.ip_network((address, min(prefix, address.max_prefixlen)), strict=False)
    last = network.broadcast_address
    others = [last, last + 1] if int(last) + 1 < 1 << last.max_prefixlen else [last]
    batch = Batch.of(Connect, [connect(str(one), 1, str(one), 1) for one in (address, *others)])
    wanted = [one in network for one in (address, *others)]
    assert endpoints.at_address(batch, (str(network),)).tolist() == wanted


def test_what_has_no_ends_is_at_none() -> None:
    execs = Batch.of(Exec, [Exec(pid=1), Exec(pid=2)])
    drops = Batch.of(Drop, [Drop(ethertype=0x0806)])
    for batch in (execs, drops):
        assert not endpoints.at_port(batch, frozenset({80})).any()
        assert not endpoints.at_address(batch, ("0.0.0.0/0", "::/0")).any()
