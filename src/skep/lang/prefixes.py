"""Network prefixes as keys of LPM maps: Structs in a program, networks of ``ipaddress`` in Python.

``Lpm(Prefix4, value, entries)``: a program looks up ``Prefix4(32, ip.source)``, Python writes
``routes[ip_network("10.0.0.0/8")]``. An address in Python is the prefix of its whole length.
"""

from typing import TYPE_CHECKING, Any

from skep.base.lazy import lazy
from skep.lang.struct import Struct
from skep.lang.types import be32, u8, u32

if TYPE_CHECKING:
    import ipaddress
else:
    ipaddress = lazy("ipaddress")


class Prefix4(Struct):
    """The first ``bits`` bits of an IPv4 address."""

    bits: u32
    address: be32


class Prefix6(Struct):
    """The first ``bits`` bits of an IPv6 address, in network order."""

    bits: u32
    address: u8[16]


def to_key(kind: Any, key: Any) -> Any:
    """A key as its map takes it: for a network or address its prefix; ValueError where it is of the other family."""
    if kind not in (Prefix4, Prefix6) or isinstance(key, kind):
        return key
    if not isinstance(
        key,
        ipaddress.IPv4Network
        | ipaddress.IPv6Network
        | ipaddress.IPv4Address
        | ipaddress.IPv6Address,
    ):
        return key
    version = 4 if kind is Prefix4 else 6
    if key.version != version:
        raise ValueError(f"the map's keys are IPv{version} prefixes, not {key}")
    network = ipaddress.ip_network(key)
    packed = network.network_address.packed
    address = int.from_bytes(packed, "big") if version == 4 else list(packed)
    return kind(network.prefixlen, address)


def from_key(kind: Any, key: Any) -> Any:
    """A key as Python has it: of a prefix the network, whatever a program left in the bits behind it.

    An array is what a dict takes as a key: ``u8[N]`` bytes, other numbers a tuple.
    """
    if isinstance(key, Prefix4):
        return ipaddress.IPv4Network((key.address, key.bits), strict=False)
    if isinstance(key, Prefix6):
        return ipaddress.IPv6Network((bytes(key.address), key.bits), strict=False)
    if isinstance(key, list):
        return bytes(key) if kind.element is u8 else tuple(key)
    return key
