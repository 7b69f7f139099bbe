"""The parameters of /v1/events."""

from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import parse_qsl

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skep.api import query
from skep.api.query import Query
from skep.base.clock import rfc3339
from skep.base.config import EVENT_KINDS
from skep.base.errors import BadInput

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

NOW = 1_700_000_000 * 10**9
SECOND = 10**9


def parse(**parameters: str) -> Query:
    return query.parse(parameters.items(), NOW)


def test_no_parameter_means_all_that_is_stored() -> None:
    assert parse() == Query()
    assert parse().stored


def test_following_alone_asks_for_nothing_stored() -> None:
    assert not parse(follow="1").stored
    assert parse(follow="", last="5").stored
    assert parse(follow="0").stored


def test_filters_repeat_and_split() -> None:
    pairs = [("kind", "exec,exit"), ("kind", "drop"), ("pid", "1"), ("pid", "2"), ("pod", "a/b")]
    pairs += [
        ("port", "80,443"),
        ("address", "10.1.2.3/8"),
        ("address", "FD00::1"),
        ("user", "app"),
    ]
    found = query.parse(pairs, NOW)
    assert found.kinds == {"exec", "exit", "drop"}
    assert found.pids == {1, 2}
    assert found.pods == ("a/b",)
    assert found.ports == {80, 443}
    assert found.users == ("app",)
    assert found.addresses == ("10.0.0.0/8", "fd00::1/128")
    assert found.of_process


@pytest.mark.parametrize(
    ("text", "wall"),
    [
        ("10s", NOW - 10 * SECOND),
        ("2023-11-14T22:13:20Z", NOW),
        ("2023-11-14T23:13:20.000000001+01:00", NOW + 1),
        ("2023-11-14t22:13:20.5z", NOW + SECOND // 2),
        (f"@{NOW}", NOW),
    ],
)
def test_since_takes_durations_and_times(text: str, wall: int) -> None:
    assert parse(since=text).since == wall
    assert parse(until=text).until == wall


@PATIENT
@given(
    st.integers(0, query.LATEST),
    st.integers(-1439, 1439),
    st.integers(0, 9),
    st.sampled_from(["T", "t", " "]),
)
def test_a_time_is_read_as_it_was_written(ns: int, minutes: int, digits: int, middle: str) -> None:
    assert query.parse_since(rfc3339(ns), NOW) == ns
    assert query.parse_since(f"@{ns}", NOW) == ns
    seconds, fraction = divmod(ns, SECOND)
    zone = timezone(timedelta(minutes=minutes))
    local = datetime.fromtimestamp(seconds, UTC).astimezone(zone).isoformat()
    text, shift = local[:19].replace("T", middle), local[19:]
    part = f".{fraction:09d}"[: digits + 1] if digits else ""
    known = int(part[1:].ljust(9, "0")) if part else 0
    assert query.parse_since(f"{text}{part}{shift}", NOW) == seconds * SECOND + known


def test_what_is_until_a_time_is_over() -> None:
    assert parse(since="10s", until="10s").stored
    for wrong in ({"since": "9s", "until": "10s"}, {"until": "10s", "follow": "1"}):
        with pytest.raises(BadInput, match=r"^until: "):
            parse(**wrong)


@pytest.mark.parametrize("text", ["a/b/c", "/web", "shop/", "/", ""])
def test_what_can_be_no_pod_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="is no pod; write name or namespace/name"):
        parse(pod=text)


@pytest.mark.parametrize(
    ("text", "wall"), [("9999999999d", 0), ("2999-01-01T00:00:00Z", (1 << 63) - 1)]
)
def test_what_is_too_early_or_too_late_is_the_first_or_the_last(text: str, wall: int) -> None:
    assert parse(since=text).since == wall
    assert parse(since=f"@{wall}").since == wall


@pytest.mark.parametrize(
    ("name", "text", "part"),
    [
        ("kind", "exce", "did you mean 'exec'?"),
        ("kind", "", "there is no kind ''"),
        ("pid", "x", "'x' is not a number from 0 to 4194304"),
        ("pid", "99999999", "is not a number"),
        ("last", "-1", "is not a number"),
        ("since", "yesterday", "write a duration such as 10m"),
        ("since", "2023-13-40T00:00:00Z", "is not a time"),
        ("follow", "maybe", "neither 1 nor 0"),
        ("comm", "", "is not a name"),
        ("port", "65536", "'65536' is not a number from 0 to 65535"),
        ("address", "10.0.0", "'10.0.0' is no address and no network; write 10.0.0.1, 10.0.0.0/8"),
        ("colour", "red", "there is no such parameter; take follow, last"),
    ],
)
def test_a_wrong_parameter_is_named(name: str, text: str, part: str) -> None:
    with pytest.raises(BadInput) as caught:
        query.parse([(name, text)], NOW)
    assert str(caught.value).startswith(f"{name}: ")
    assert part in str(caught.value)


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("192.0.2.1", "192.0.2.1/32"),
        ("::1", "::1/128"),
        ("::ffff:192.0.2.1", "192.0.2.1/32"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:0:0/80", "::/80"),
    ],
)
def test_an_address_is_a_network_of_one(text: str, network: str) -> None:
    assert parse(address=text).addresses == (network,)


def test_a_single_parameter_given_twice_is_refused() -> None:
    with pytest.raises(BadInput, match="twice"):
        query.parse([("last", "1"), ("last", "2")], NOW)


NETWORKS = st.sampled_from(("10.0.0.0/8", "192.0.2.1/32", "fd00::/8", "::1/128"))
NAMES = st.lists(st.text("abc*/ü &=", min_size=1, max_size=6), max_size=3).map(tuple)
PODS = st.lists(st.from_regex(r"([a-c*]+/)?[a-c*]+", fullmatch=True), max_size=3).map(tuple)


@PATIENT
@given(
    st.builds(
        Query,
        kinds=st.frozensets(st.sampled_from(EVENT_KINDS), max_size=3),
        pids=st.frozensets(st.integers(0, 1 << 22), max_size=3),
        comms=NAMES,
        containers=NAMES,
        pods=PODS,
        users=NAMES,
        addresses=st.lists(NETWORKS, max_size=2).map(tuple),
        ports=st.frozensets(st.integers(0, 65535), max_size=3),
        follow=st.booleans(),
        last=st.none() | st.integers(0, 1000),
        since=st.none() | st.integers(0, NOW),
        until=st.none() | st.integers(NOW, 2 * NOW),
    ).filter(lambda choice: choice.until is None or not choice.follow)
)
def test_what_the_client_writes_the_agent_reads(choice: Query) -> None:
    assert query.parse(parse_qsl(query.write(choice), keep_blank_values=True), NOW) == choice


def test_filters_that_no_request_can_hold_are_refused_before_one_is_made() -> None:
    pids = frozenset(range(1_000_000, 1_001_800))
    assert query.parse(parse_qsl(query.write(Query(pids=pids))), NOW).pids == pids
    with pytest.raises(BadInput, match=r"they take \d+ bytes of a request, 15360 are the most"):
        query.write(Query(pids=pids | frozenset(range(2_000_000, 2_000_300))))
