"""The datapath as plain Python: each story of packets, without root and without a kernel."""

from collections.abc import Callable

import pytest

from examples.large.datapath.desired import Rule
from examples.large.datapath.state import ANY, IN, OUT, SECONDS, Settings, State, Verdict
from tests.unit.large.datapath_packets import ACK, FIN, RST, Ends, answer, echo, tcp, udp
from tests.unit.large.datapath_scenes import NOW, Scene, plain
from tests.unit.large.datapath_services import SERVICE_STORIES, service
from tests.unit.large.datapath_stories import (
    EVERYTHING,
    STORIES,
    VIP,
    WEB,
    what_has_no_header_is_dropped,
)

END, LAST = tcp(WEB, FIN | ACK), tcp(WEB.back, FIN | ACK)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return plain()


@pytest.mark.parametrize(
    "story",
    [*STORIES, *SERVICE_STORIES, what_has_no_header_is_dropped],
    ids=lambda story: story.__name__,
)
def test_the_pod_in_plain_python(story: Callable[[Scene], None], scene: Scene) -> None:
    story(scene.begin())


@pytest.mark.parametrize(
    ("state", "packets"),
    [
        (State.TCP_OPENING, [(OUT, tcp(WEB))]),
        (State.TCP_OPENING, [(OUT, tcp(WEB)), (OUT, tcp(WEB))]),
        (State.TCP_OPEN, [(OUT, tcp(WEB)), (IN, answer(WEB))]),
        (State.TCP_OPEN, [(OUT, tcp(WEB)), (IN, answer(WEB)), (OUT, END)]),
        (State.TCP_CLOSING, [(OUT, tcp(WEB)), (IN, answer(WEB)), (OUT, END), (IN, LAST)]),
        (State.TCP_CLOSING, [(OUT, tcp(WEB)), (IN, tcp(WEB.back, RST))]),
        (State.ASKED, [(OUT, udp(WEB))]),
        (State.ANSWERED, [(OUT, udp(WEB)), (IN, udp(WEB.back))]),
        (State.ECHO, [(OUT, echo(WEB)), (IN, echo(WEB.back, asks=False))]),
    ],
)
def test_connections_are_remembered_by_their_state(
    state: State, packets: list[tuple[int, bytes]], scene: Scene
) -> None:
    scene.begin().allow(*EVERYTHING)
    for direction, data in packets:
        assert scene.meets(direction, data) < Verdict.SHORT
    assert scene.remembered() == {NOW + SECONDS[state] * 1_000_000_000}


@pytest.mark.parametrize("direction", [OUT, IN])
def test_without_a_default_of_refusing_what_no_policy_names_passes(direction: int) -> None:
    settings = Settings([1, 1], [60] * 8)
    settings.default_deny[direction] = 0
    scene = plain(settings)
    scene.allow(Rule(ANY, direction, 17, allow=False))
    assert scene.meets(direction, tcp(WEB)) == Verdict.NEW
    assert scene.meets(direction, udp(WEB)) == Verdict.DENIED
    assert scene.meets(1 - direction, tcp(Ends("10.3.0.3", "10.4.0.4"))) == Verdict.NOT_ALLOWED


@pytest.mark.parametrize(
    "helper", ["l3_csum_replace", "l4_csum_replace", "skb_store_bytes"], ids=str
)
def test_what_cannot_be_rewritten_is_dropped(helper: str) -> None:
    scene = plain(helpers={helper: lambda *_: -14})
    scene.allow(*EVERYTHING)
    scene.serve(service(VIP, 6, "10.2.0.2"))
    assert scene.sends(tcp(Ends("10.1.0.1", VIP))) == Verdict.NOT_REWRITTEN
    assert scene.gets(answer(Ends("10.1.0.1", "10.2.0.2", 40000, 8080))) == Verdict.NOT_REWRITTEN


def test_packets_in_pieces_are_pulled_together() -> None:
    pulled: list[int] = []
    scene = plain(helpers={"skb_pull_data": pulled.append}, longer=1000)
    assert scene.sends(tcp(WEB)) == Verdict.NOT_ALLOWED
    assert pulled == [128]
