"""What a pod's datapath does for services, as transcripts."""

import struct
from collections.abc import Callable
from ipaddress import ip_address

from examples.large.datapath.balance import Backend, Service
from examples.large.datapath.desired import Rule
from examples.large.datapath.state import OUT, Verdict
from skep.lang.library.headers import Protocol
from tests.unit.large.datapath_packets import (
    ACK,
    Ends,
    answer,
    ends_of,
    intact,
    quoted,
    summed,
    tcp,
    udp,
    unreachable,
)
from tests.unit.large.datapath_scenes import OTHERS, PEERS, Scene
from tests.unit.large.datapath_stories import EVERYTHING, OTHER, PEER, PEER6, POD, POD6, VIP, VIP6


def service(address: str, protocol: int, *backends: str) -> Service:
    made = tuple(Backend(ip_address(one), 8080 + i) for i, one in enumerate(backends))
    return Service(ip_address(address), 80, protocol, made)


def a_service_is_its_backends(scene: Scene) -> None:
    """Connections go to both backends, each to one; replies come from the service; checksums stay right."""
    scene.allow(Rule(PEERS, OUT, Protocol.TCP, range(8080, 8082)))
    for source, vip, peers in (
        (POD, VIP, ("10.2.0.2", "10.2.0.3")),
        (POD6, VIP6, ("fd02::2", "fd02::3")),
    ):
        scene.serve(service(vip, Protocol.TCP, *peers))
        seen = set()
        for port in range(40000, 40020):
            asked = Ends(source, vip, port)
            assert scene.sends(tcp(asked)) == Verdict.NEW
            went = ends_of(scene.left)
            assert intact(scene.left)
            assert scene.gets(answer(went)) == Verdict.REPLY
            assert ends_of(scene.left) == asked.back
            assert intact(scene.left)
            assert scene.sends(tcp(asked, ACK, b"odd")) == Verdict.ESTABLISHED
            assert (ends_of(scene.left), intact(scene.left)) == (went, True)
            seen.add((went.destination, went.destination_port))
        assert seen == {(peer, 8080 + i) for i, peer in enumerate(peers)}
        assert scene.sends(tcp(Ends(source, vip, 40000, 81))) == Verdict.NOT_ALLOWED


def a_service_of_datagrams(scene: Scene) -> None:
    """A checksum of 0, which IPv4 allows, stays 0."""
    scene.allow(Rule(PEERS, OUT, Protocol.UDP))
    scene.serve(service(VIP, Protocol.UDP, PEER))
    asked = Ends(POD, VIP)
    assert scene.sends(udp(asked)) == Verdict.NEW
    went = ends_of(scene.left)
    assert (went, intact(scene.left)) == (Ends(POD, PEER, 40000, 8080), True)
    assert scene.gets(udp(went.back)) == Verdict.REPLY
    assert (ends_of(scene.left), intact(scene.left)) == (asked.back, True)
    assert scene.sends(udp(asked, checksum=False)) == Verdict.ESTABLISHED
    assert struct.unpack_from(">H", scene.left, 40) == (0,)


def errors_are_about_the_service(scene: Scene) -> None:
    """And not about the backend, which the pod does not know."""
    scene.allow(*EVERYTHING)
    for source, vip, peer in ((POD, VIP, PEER), (POD6, VIP6, PEER6)):
        for protocol, packet_of in ((Protocol.TCP, tcp), (Protocol.UDP, udp)):
            scene.serve(service(vip, protocol, peer))
            assert scene.sends(packet_of(Ends(source, vip))) == Verdict.NEW
            error = unreachable(Ends(peer, source), scene.left)
            assert intact(error)
            assert scene.gets(error) == Verdict.RELATED
            assert ends_of(quoted(scene.left)) == Ends(source, vip)
            assert intact(scene.left)
            header = quoted(scene.left)[:34]
            assert len(scene.left) == len(error)
            assert vip == VIP6 or summed(header[14:]) == 0


def a_service_is_judged_by_its_backend(scene: Scene) -> None:
    scene.allow(Rule(OTHERS, OUT))
    scene.serve(service(VIP, Protocol.TCP, PEER))
    assert scene.sends(tcp(Ends(POD, VIP))) == Verdict.NOT_ALLOWED
    assert (scene.left, scene.drops()[0].destination_port) == (tcp(Ends(POD, VIP)), 8080)
    scene.serve(service(VIP, Protocol.TCP, OTHER))
    assert scene.sends(tcp(Ends(POD, VIP))) == Verdict.NEW


def connections_stay_with_their_backend(scene: Scene) -> None:
    """Though the table changes; what opens anew goes by the new table."""
    scene.allow(*EVERYTHING)
    first = service(VIP, Protocol.TCP, PEER)
    scene.serve(first)
    assert scene.sends(tcp(Ends(POD, VIP))) == Verdict.NEW
    scene.serve(
        Service(first.address, 80, Protocol.TCP, ()),
        Service(ip_address(VIP6), 80, Protocol.TCP, ()),
    )
    assert scene.sends(tcp(Ends(POD, VIP), ACK)) == Verdict.ESTABLISHED
    assert ends_of(scene.left).destination == PEER
    assert scene.sends(tcp(Ends(POD, VIP))) == Verdict.NO_BACKEND
    assert scene.sends(tcp(Ends(POD, VIP, 40001), ACK)) == Verdict.NO_BACKEND


def what_is_no_reply_of_a_service_stays(scene: Scene) -> None:
    """A backend that is talked to directly keeps its address."""
    scene.allow(*EVERYTHING)
    scene.serve(service(VIP, Protocol.TCP, PEER))
    direct = Ends(POD, PEER, 40000, 8080)
    assert scene.sends(tcp(direct)) == Verdict.NEW
    assert scene.gets(answer(direct)) == Verdict.REPLY
    assert scene.left == answer(direct)


SERVICE_STORIES: tuple[Callable[[Scene], None], ...] = (
    a_service_is_its_backends,
    a_service_of_datagrams,
    errors_are_about_the_service,
    a_service_is_judged_by_its_backend,
    connections_stay_with_their_backend,
    what_is_no_reply_of_a_service_stays,
)
