"""What a pod's datapath does with packets, as transcripts: run on its programs as plain Python and in the kernel."""

from collections.abc import Callable
from ipaddress import ip_address

from examples.large.datapath.desired import Rule
from examples.large.datapath.state import ANY, IN, OUT, Verdict
from skep.lang.library.headers import EtherType, Protocol
from tests.unit.large.datapath_packets import (
    ACK,
    FIN,
    RST,
    SYN,
    Ends,
    answer,
    echo,
    ethernet,
    icmp,
    ip,
    packet,
    tcp,
    tcp_segment,
    udp,
    udp_datagram,
    unreachable,
)
from tests.unit.large.datapath_scenes import OTHERS, PEERS, Scene

POD, PEER, OTHER, STRANGER = "10.1.0.1", "10.2.0.2", "10.5.0.5", "192.0.2.1"
POD6, PEER6 = "fd01::1", "fd02::2"
VIP, VIP6 = "10.96.0.1", "fd96::1"
WEB, WEB6 = Ends(POD, PEER), Ends(POD6, PEER6)
EVERYTHING = (Rule(ANY, OUT), Rule(ANY, IN))
PASSES = (Verdict.NEW, Verdict.ESTABLISHED)


def connections_pass(scene: Scene) -> None:
    """A connection that a policy allows, both ways; replies need no policy."""
    scene.allow(Rule(PEERS, OUT, Protocol.TCP, range(80, 81)))
    for ends in (WEB, WEB6):
        assert scene.sends(tcp(ends)) == Verdict.NEW
        assert scene.sends(tcp(ends)) == Verdict.ESTABLISHED
        assert scene.gets(answer(ends)) == Verdict.REPLY
        assert scene.sends(tcp(ends, ACK, b"GET /")) == Verdict.ESTABLISHED
        assert scene.gets(tcp(Ends(PEER, POD, 80, 40001), SYN | ACK)) == Verdict.NOT_ALLOWED


def connections_to_the_pod_pass(scene: Scene) -> None:
    scene.allow(Rule(PEERS, IN, Protocol.TCP, range(443, 444)))
    ends = Ends(PEER, POD, 50000, 443)
    assert scene.gets(tcp(ends)) == Verdict.NEW
    assert scene.sends(answer(ends)) == Verdict.REPLY
    assert scene.gets(tcp(ends, ACK)) == Verdict.ESTABLISHED
    assert scene.gets(tcp(Ends(PEER, POD, 50000, 444))) == Verdict.NOT_ALLOWED
    assert scene.sends(tcp(Ends(POD, PEER, 50000, 443))) == Verdict.NOT_ALLOWED


def datagrams_pass(scene: Scene) -> None:
    scene.allow(Rule(PEERS, OUT, Protocol.UDP, range(53, 54)))
    for ends in (Ends(POD, PEER, 9999, 53), Ends(POD6, PEER6, 9999, 53)):
        assert scene.gets(udp(ends.back)) == Verdict.NOT_ALLOWED
        assert scene.sends(udp(ends)) == Verdict.NEW
        assert scene.gets(udp(ends.back)) == Verdict.REPLY
        assert scene.sends(udp(ends)) == Verdict.ESTABLISHED
        assert scene.sends(tcp(ends)) == Verdict.NOT_ALLOWED


def identities_are_those_of_the_longest_prefix(scene: Scene) -> None:
    scene.allow(Rule(OTHERS, OUT, Protocol.TCP, range(80, 81)))
    assert scene.sends(tcp(Ends(POD, OTHER))) == Verdict.NEW
    assert scene.sends(tcp(Ends(POD, PEER))) == Verdict.NOT_ALLOWED
    assert scene.sends(tcp(Ends(POD, STRANGER))) == Verdict.NOT_ALLOWED
    assert [drop.identity for drop in scene.drops()] == [PEERS, 1]


def ports_have_ranges(scene: Scene) -> None:
    """The edges of a range that is several prefixes; a longer prefix goes before."""
    allowed, refused = range(1000, 2001), range(1500, 1501)
    scene.allow(
        Rule(PEERS, OUT, Protocol.TCP, allowed),
        Rule(PEERS, OUT, Protocol.TCP, refused, allow=False),
    )
    for port in (1000, 1001, 1023, 1024, 1499, 1501, 1999, 2000):
        assert scene.sends(tcp(Ends(POD, PEER, 40000, port))) == Verdict.NEW
    for port in (0, 999, 2001, 65535):
        assert scene.sends(tcp(Ends(POD, PEER, 40000, port))) == Verdict.NOT_ALLOWED
    assert scene.sends(tcp(Ends(POD, PEER, 40000, 1500))) == Verdict.DENIED


def the_most_particular_policy_decides(scene: Scene) -> None:
    """One for the identity before one for anybody, one for a protocol before one for any."""
    scene.allow(
        Rule(ANY, OUT),
        Rule(OTHERS, OUT, allow=False),
        Rule(OTHERS, OUT, Protocol.UDP),
        Rule(ANY, OUT, Protocol.TCP, range(25, 26), allow=False),
    )
    assert scene.sends(tcp(WEB)) == Verdict.NEW
    assert scene.sends(tcp(Ends(POD, STRANGER, 40000, 25))) == Verdict.DENIED
    assert scene.sends(tcp(Ends(POD, OTHER))) == Verdict.DENIED
    assert scene.sends(udp(Ends(POD, OTHER))) == Verdict.NEW


def a_reply_is_no_way_to_open(scene: Scene) -> None:
    """A bare SYN from the other side is a connection of its own, which needs a policy of its own."""
    scene.allow(Rule(PEERS, OUT))
    assert scene.sends(tcp(WEB)) == Verdict.NEW
    assert scene.gets(tcp(WEB.back, SYN)) == Verdict.NOT_ALLOWED
    assert scene.gets(answer(WEB)) == Verdict.REPLY


def what_was_closed_can_be_opened_again(scene: Scene) -> None:
    scene.allow(Rule(PEERS, OUT))
    for last in ((OUT, tcp(WEB, FIN | ACK)), (IN, tcp(WEB.back, RST))):
        assert scene.sends(tcp(WEB)) in PASSES
        assert scene.gets(answer(WEB)) == Verdict.REPLY
        assert scene.gets(tcp(WEB.back, FIN | ACK)) == Verdict.REPLY
        assert (
            scene.sends(tcp(WEB)) == Verdict.ESTABLISHED
        )  # it is half closed: this is nothing new
        assert scene.meets(*last) < Verdict.SHORT
        assert scene.sends(tcp(WEB)) == Verdict.NEW


def what_is_old_is_forgotten(scene: Scene) -> None:
    scene.allow(Rule(PEERS, OUT))
    for packet_of in (tcp, udp):
        assert scene.sends(packet_of(WEB)) == Verdict.NEW
        scene.forget()
        assert scene.gets(packet_of(WEB.back)) == Verdict.NOT_ALLOWED
        assert scene.sends(packet_of(WEB)) == Verdict.NEW


def changed_policies_are_asked_again(scene: Scene) -> None:
    """A connection that is not allowed any more ends, and its replies with it."""
    scene.allow(*EVERYTHING)
    assert scene.sends(tcp(WEB)) == Verdict.NEW
    scene.allow(Rule(PEERS, OUT, Protocol.TCP))
    assert scene.sends(tcp(WEB, ACK)) == Verdict.ESTABLISHED
    scene.allow(Rule(OTHERS, OUT))
    assert scene.gets(answer(WEB)) == Verdict.REPLY
    assert scene.sends(tcp(WEB, ACK)) == Verdict.NOT_ALLOWED
    assert scene.gets(answer(WEB)) == Verdict.NOT_ALLOWED


def echoes_are_answered(scene: Scene) -> None:
    scene.allow(Rule(PEERS, OUT, Protocol.ICMP), Rule(PEERS, OUT, Protocol.ICMPV6))
    for ends in (WEB, WEB6):
        assert scene.gets(echo(ends.back, asks=False)) == Verdict.NOT_ALLOWED
        assert scene.sends(echo(ends)) == Verdict.NEW
        assert scene.gets(echo(ends.back, asks=False)) == Verdict.REPLY
        assert scene.gets(echo(ends.back, asks=False, number=10)) == Verdict.NOT_ALLOWED
        assert scene.gets(echo(ends.back)) == Verdict.NOT_ALLOWED


def errors_pass_where_they_are_about_a_connection(scene: Scene) -> None:
    scene.allow(Rule(PEERS, OUT))
    for ends, router in ((WEB, "10.9.9.9"), (WEB6, "fd09::9")):
        for sent in (tcp(ends), udp(ends), echo(ends)):
            error = unreachable(Ends(router, ends.source), sent)
            assert scene.gets(error) == Verdict.UNRELATED
            assert scene.sends(sent) == Verdict.NEW
            assert scene.gets(error) == Verdict.RELATED
        assert scene.sends(unreachable(Ends(ends.source, router), answer(ends))) == Verdict.RELATED
    for message in (icmp(WEB.back, 4, bytes(60)), icmp(WEB6.back, 11, bytes(60))):  # no errors
        assert scene.gets(message) == Verdict.NOT_ALLOWED


def the_link_works_without_policies(scene: Scene) -> None:
    """ARP, and what ICMPv6 finds neighbours with."""
    assert scene.sends(ethernet(EtherType.ARP, bytes(28))) == Verdict.CONTROL
    assert scene.sends(icmp(WEB6, 135, bytes(20))) == Verdict.CONTROL
    assert scene.gets(icmp(WEB6.back, 136, bytes(20))) == Verdict.CONTROL
    assert scene.sends(icmp(WEB6, 143, bytes(20))) == Verdict.CONTROL
    for kind in (127, 138, 142, 144):
        assert scene.sends(icmp(WEB6, kind, bytes(20))) == Verdict.NOT_ALLOWED
    assert scene.sends(icmp(WEB, 135, bytes(20))) == Verdict.NOT_ALLOWED


def headers_are_followed(scene: Scene) -> None:
    """Options of IPv4, and extension headers of IPv6 up to four."""
    scene.allow(Rule(PEERS, OUT, Protocol.TCP, range(80, 81)))
    options = packet(WEB, Protocol.TCP, tcp_segment(WEB), extra=bytes(40))
    assert scene.sends(options) == Verdict.NEW
    for chain in (
        (Protocol.HOPS,),
        (Protocol.HOPS, Protocol.ROUTING, Protocol.OPTIONS, Protocol.OPTIONS),
    ):
        after = (*chain[1:], Protocol.TCP)
        extra = b"".join(bytes([one, i]) + bytes(6 + 8 * i) for i, one in enumerate(after))
        given = packet(WEB6, chain[0], tcp_segment(WEB6), extra=extra)
        assert scene.sends(given) in PASSES
        assert scene.sends(given[:-6]) == Verdict.SHORT
        assert scene.sends(given[: 14 + 41]) == Verdict.SHORT


def what_is_no_packet_is_dropped(scene: Scene) -> None:
    scene.allow(*EVERYTHING)
    segment = tcp_segment(WEB)
    for data, verdict in (
        (packet(WEB, Protocol.TCP, segment[:19]), Verdict.SHORT),
        (packet(WEB, Protocol.UDP, udp_datagram(WEB)[:7]), Verdict.SHORT),
        (packet(WEB, Protocol.ICMP, bytes(7)), Verdict.SHORT),
        (ethernet(EtherType.IPV4, b"\x44" + bytes(40)), Verdict.MALFORMED),
        (ethernet(EtherType.IPV4, b"\x65" + bytes(40)), Verdict.MALFORMED),
        (ethernet(EtherType.IPV6, b"\x45" + bytes(40)), Verdict.MALFORMED),
        (tcp(Ends(POD6, "::ffff:10.2.0.2")), Verdict.MALFORMED),
        (tcp(Ends("::ffff:10.2.0.2", POD6)), Verdict.MALFORMED),
        (ethernet(0x8847, bytes(40)), Verdict.ETHERTYPE),
        (packet(WEB, 132, bytes(20)), Verdict.PROTOCOL),
        (packet(WEB6, 59, bytes(20)), Verdict.PROTOCOL),
        (
            ethernet(EtherType.IPV4, ip(WEB, Protocol.TCP, segment, fragment=0x2000)),
            Verdict.FRAGMENT,
        ),
        (ethernet(EtherType.IPV4, ip(WEB, Protocol.TCP, segment, fragment=1)), Verdict.FRAGMENT),
        (packet(WEB6, Protocol.FRAGMENT, bytes(40)), Verdict.FRAGMENT),
    ):
        assert scene.sends(data) == verdict
        assert scene.gets(data) == verdict
    assert (
        scene.sends(ethernet(EtherType.IPV4, ip(WEB, Protocol.TCP, segment, fragment=0x4000))) == 0
    )


def what_has_no_header_is_dropped(scene: Scene) -> None:
    """The kernel itself has no packets so short in its test runs."""
    scene.allow(*EVERYTHING)
    for data in (bytes(13), tcp(WEB)[:33], tcp(WEB6)[:53]):
        assert scene.sends(data) == Verdict.SHORT


def a_drop_is_told(scene: Scene) -> None:
    assert scene.gets(udp(Ends(OTHER, POD, 5, 6))) == Verdict.NOT_ALLOWED
    (drop,) = scene.drops()
    assert bytes(drop.source)[10:] == b"\xff\xff" + ip_address(OTHER).packed
    assert bytes(drop.destination)[10:] == b"\xff\xff" + ip_address(POD).packed
    assert (drop.source_port, drop.destination_port, drop.protocol) == (5, 6, Protocol.UDP)
    assert (drop.direction, drop.reason, drop.identity) == (IN, Verdict.NOT_ALLOWED, OTHERS)
    assert drop.bytes == len(udp(Ends(OTHER, POD, 5, 6)))


STORIES: tuple[Callable[[Scene], None], ...] = (
    connections_pass,
    connections_to_the_pod_pass,
    datagrams_pass,
    identities_are_those_of_the_longest_prefix,
    ports_have_ranges,
    the_most_particular_policy_decides,
    a_reply_is_no_way_to_open,
    what_was_closed_can_be_opened_again,
    what_is_old_is_forgotten,
    changed_policies_are_asked_again,
    echoes_are_answered,
    errors_pass_where_they_are_about_a_connection,
    the_link_works_without_policies,
    headers_are_followed,
    what_is_no_packet_is_dropped,
    a_drop_is_told,
)
