"""What the datapath is told: ports as prefixes, rules as entries, Maglev's tables."""

from collections import Counter
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.large.datapath import balance, desired
from examples.large.datapath.balance import Backend, Service
from examples.large.datapath.desired import Rule
from examples.large.datapath.state import ALLOW, ANY, BACKENDS, DENY, OUT, SERVICES, PolicyKey

PORTS = st.integers(0, 65535)
FEW, MANY = range(2, 6), 251


def backend(number: int) -> Backend:
    return Backend(ip_address(f"10.0.0.{number}"), 80)


@given(PORTS, PORTS)
def test_port_prefixes_are_exactly_the_ports(first: int, second: int) -> None:
    ports = range(min(first, second), max(first, second) + 1)
    found = list(desired.port_prefixes(ports))
    at = ports.start
    for port, bits in found:
        assert (port, port % (1 << 16 - bits)) == (at, 0)
        at += 1 << 16 - bits
    assert at == ports.stop
    assert len(found) <= 30


@pytest.mark.parametrize(
    ("ports", "prefixes"),
    [
        (range(65536), [(0, 0)]),
        (range(80, 81), [(80, 16)]),
        (range(1024, 65536), [(1 << i, 16 - i) for i in range(10, 16)]),
    ],
)
def test_port_prefixes_are_few(ports: range, prefixes: list[tuple[int, int]]) -> None:
    assert list(desired.port_prefixes(ports)) == prefixes


def test_a_refusal_wins_where_two_rules_have_one_entry() -> None:
    rules = [Rule(7, OUT, 6, range(80, 81), allow=allow) for allow in (True, False, True)]
    assert desired.policy_entries(rules) == {PolicyKey(7, 80, 16, 6, OUT): DENY}
    assert desired.policy_entries([Rule(ANY, OUT)]) == {PolicyKey(ANY, 0, 0, 0, OUT): ALLOW}


def test_the_shape_has_the_lengths_that_occur() -> None:
    entries = desired.policy_entries([Rule(7, OUT, 6, range(80, 90)), Rule(7, OUT)])
    assert desired.shape_of(entries, 5).lengths == 1 << 13 | 1 << 15 | 1
    assert desired.shape_of(entries, 5).revision == 5
    assert desired.shape_of({}, 1).lengths == 0


@pytest.mark.parametrize(
    "rule",
    [
        Rule(7, OUT, 0, range(80, 81)),
        Rule(7, OUT, 6, range(0)),
        Rule(7, OUT, 6, range(0, 10, 2)),
        Rule(7, OUT, 6, range(-1, 10)),
        Rule(7, OUT, 6, range(65537)),
    ],
)
def test_rules_without_a_meaning_are_refused(rule: Rule) -> None:
    with pytest.raises(ValueError, match="ports"):
        desired.policy_entries([rule])


def test_networks_of_ipv4_lie_among_those_of_ipv6() -> None:
    made = desired.identity_entries({ip_network("10.0.0.0/8"): 7, ip_network("fd00::/8"): 8})
    assert made == {ip_network("::ffff:10.0.0.0/104"): 7, ip_network("fd00::/8"): 8}


@pytest.mark.parametrize("count", FEW)
def test_backends_have_equal_shares(count: int) -> None:
    table = balance.maglev_table([backend(i) for i in range(count)], MANY)
    shares = Counter(table)
    assert set(shares) == set(range(count))
    assert max(shares.values()) - min(shares.values()) <= 1


@pytest.mark.parametrize("gone", range(5))
def test_few_places_change_with_a_backend(gone: int) -> None:
    """Those of the backend that is gone must; of the others no more than one in four does."""
    backends = [backend(i) for i in range(5)]
    left = [one for one in backends if one != backends[gone]]
    before = [backends[i] for i in balance.maglev_table(backends, MANY)]
    after = [left[i] for i in balance.maglev_table(left, MANY)]
    kept = [now == then for now, then in zip(after, before, strict=True) if then != backends[gone]]
    assert kept.count(False) < len(kept) / 4


def test_a_table_without_backends_has_nobody() -> None:
    assert balance.maglev_table([], 7) == [-1] * 7


def test_services_share_their_backends() -> None:
    first, second = backend(1), backend(2)
    made = balance.service_tables(
        [
            Service(ip_address("10.96.0.1"), 80, 6, (first, second)),
            Service(ip_address("10.96.0.2"), 80, 6, (second,)),
            Service(ip_address("10.96.0.3"), 80, 6, ()),
        ]
    )
    assert sorted(made.backends) == [1, 2]
    tables = [{made.maglev[i * 1021 + place] for place in range(1021)} for i in range(3)]
    assert tables == [{1, 2}, {2}, {0}]
    assert sorted(made.services.values()) == sorted(made.frontends) == [0, 1, 2]


def test_services_that_cannot_be_are_refused() -> None:
    mixed = Service(ip_address("fd96::1"), 80, 6, (backend(1),))
    with pytest.raises(ValueError, match="another family"):
        balance.service_tables([mixed])
    empty = Service(ip_address("10.96.0.1"), 80, 6, ())
    with pytest.raises(ValueError, match=f"{SERVICES} services"):
        balance.service_tables([empty] * (SERVICES + 1))
    many = tuple(Backend(ip_address("10.0.0.1"), port) for port in range(BACKENDS))
    with pytest.raises(ValueError, match=f"{BACKENDS - 1} backends"):
        balance.service_tables([Service(ip_address("10.96.0.1"), 80, 6, many)])


def test_a_table_is_made_what_is_wanted() -> None:
    table = {1: "old", 2: "stays"}
    desired.replace(table, {2: "stays", 3: "new"})
    assert table == {2: "stays", 3: "new"}
