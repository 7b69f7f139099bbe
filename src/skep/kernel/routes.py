"""Programs of routes (lightweight tunnels): a route that is made with a program on the packets that take it.

The kernel has no link for it: the route holds the program, and closing the attachment takes the route away.
Source: include/uapi/linux/{rtnetlink,lwtunnel,bpf,seg6_local}.h.
"""

import ipaddress
import struct
from typing import NamedTuple

from skep.base.errors import BadInput
from skep.kernel.attachment import Attachment
from skep.kernel.bpf import Door
from skep.kernel.devices import device
from skep.kernel.namespaces import inside
from skep.kernel.netlink import Netlink, attribute
from skep.kernel.place import Place, name_of
from skep.kernel.programs import Program
from skep.kernel.refusal import NETWORK, refused

_MAIN, _STATIC, _LINK, _UNICAST = 254, 4, 253, 1
_DST, _OIF, _GATEWAY, _ENCAP_TYPE, _ENCAP = 1, 4, 5, 21, 22
_NESTED = 0x8000
_ENCAP_BPF, _ENCAP_SEG6_LOCAL = 6, 7
_PARTS = {10: 1, 11: 2, 12: 3}  # LWT_BPF_IN, _OUT, _XMIT by program type
_ACTION, _SEG6_BPF, _END_BPF = 1, 8, 15
_INET, _INET6 = 2, 10


class Route(NamedTuple):
    """``prefix dev device via gateway``, as a person writes it; ``gateway`` b"" is on link."""

    family: int
    length: int
    destination: bytes
    device: str
    gateway: bytes


def parse(text: str) -> Route:
    """The route in ``"10.9.0.0/24 dev veth0"`` or ``"... dev veth0 via 10.1.0.1"``. BadInput where it is none."""
    words = text.split()
    named = dict(zip(words[1::2], words[2::2], strict=False))
    try:
        network = ipaddress.ip_network(words[0])
        gateway = ipaddress.ip_address(named["via"]).packed if "via" in named else b""
        device = named["dev"]
    except (ValueError, LookupError) as error:
        expected = 'write it as "10.9.0.0/24 dev veth0" or "fd00::/64 dev veth0 via fe80::1"'
        raise BadInput("route", f"{text!r} is no route to a device", expected) from error
    family = _INET if network.version == 4 else _INET6
    return Route(family, network.prefixlen, network.network_address.packed, device, gateway)


def routed(program: Program, place: Place, door: Door) -> Attachment:
    """On the packets of a route, which is made."""
    route, name = parse(str(place.target)), name_of(program, place)

    def make() -> bytes:
        with (
            refused("RTM_NEWROUTE", name, needs=NETWORK, exclusive=True, door=door),
            Netlink() as netlink,
        ):
            body = _body(route, device(route.device))
            netlink.add_route(body + _tunnel(program))
            return body

    body = inside(place.netns, make, door=door)

    def take() -> None:
        with Netlink() as netlink:
            netlink.delete_route(body)

    return Attachment(name, lambda: inside(place.netns, take, door=door))


def _body(route: Route, index: int) -> bytes:
    scope = _LINK if route.family == _INET and not route.gateway else 0
    head = struct.pack("<8BI", route.family, route.length, 0, 0, _MAIN, _STATIC, scope, _UNICAST, 0)
    body = head + attribute(_DST, route.destination) + attribute(_OIF, struct.pack("<I", index))
    return body + (attribute(_GATEWAY, route.gateway) if route.gateway else b"")


def _tunnel(program: Program) -> bytes:
    """The attributes that make a route one of a program."""
    own = attribute(1, struct.pack("<I", program.fd)) + attribute(
        2, program.spec.name.encode() + b"\0"
    )
    part = _PARTS.get(program.spec.kind.prog_type)
    if part is None:
        inner = attribute(_ACTION, struct.pack("<I", _END_BPF)) + attribute(
            _SEG6_BPF | _NESTED, own
        )
    else:
        inner = attribute(part | _NESTED, own)
    kind = _ENCAP_SEG6_LOCAL if part is None else _ENCAP_BPF
    return attribute(_ENCAP_TYPE, struct.pack("<H", kind)) + attribute(_ENCAP | _NESTED, inner)
