"""What the datapath is told: networks and their identities, and rules. Plain values to entries of its maps.

It reads and writes nothing but the tables that it is given: those of a loaded program, or fakes.
"""

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_network,
)
from typing import Any, TypeVar

from examples.large.datapath.state import (
    ALLOW,
    DENY,
    LONGEST,
    PolicyKey,
    Shape,
)
from examples.large.datapath.wire import Address

IpAddress = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
PORTS = range(1 << LONGEST)
MAPPED = IPv6Address("::ffff:0:0")
Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Rule:
    """Whether a peer of an identity (ANY: whoever) may; ``protocol`` 0 is any, and then for all ports."""

    identity: int
    direction: int
    protocol: int = 0
    ports: range = PORTS
    allow: bool = True


def mapped(address: IpAddress) -> IPv6Address:
    """An address as the datapath has it: IPv4 lies in ::ffff:0:0/96."""
    if isinstance(address, IPv6Address):
        return address
    return IPv6Address(int(MAPPED) | int(address))


def encoded(address: IpAddress) -> Address:
    """An address as maps hold it."""
    return Address(bytes=list(mapped(address).packed))


def identity_entries(networks: Mapping[Network, int]) -> dict[IPv6Network, int]:
    """The content of ``identities``."""
    return {_widened(network): identity for network, identity in networks.items()}


def _widened(network: Network) -> IPv6Network:
    if isinstance(network, IPv6Network):
        return network
    made = ip_network((mapped(network.network_address), 96 + network.prefixlen))
    assert isinstance(made, IPv6Network)
    return made


def port_prefixes(ports: range) -> Iterator[tuple[int, int]]:
    """The fewest prefixes (first port, bits) that are exactly these ports."""
    at = ports.start
    while at < ports.stop:
        size = at & -at or 1 << LONGEST
        while size > ports.stop - at:
            size >>= 1
        yield at, LONGEST - size.bit_length() + 1
        at += size


def policy_entries(rules: Iterable[Rule]) -> dict[PolicyKey, int]:
    """The content of ``policies``; where two rules have one entry, a refusal wins.

    ValueError where a rule has no meaning.
    """
    entries: dict[PolicyKey, int] = {}
    for rule in rules:
        if rule.protocol == 0 and rule.ports != PORTS:
            raise ValueError(f"{rule}: ports need a protocol")
        if (
            rule.ports.step != 1
            or not rule.ports
            or rule.ports.start < 0
            or rule.ports.stop > PORTS.stop
        ):
            raise ValueError(f"{rule}: ports are from 0 to {PORTS.stop - 1}, one after the other")
        for port, bits in port_prefixes(rule.ports):
            key = PolicyKey(rule.identity, port, bits, rule.protocol, rule.direction)
            verdict = ALLOW if rule.allow else DENY
            entries[key] = max(verdict, entries.get(key, verdict))
    return entries


def shape_of(entries: Iterable[PolicyKey], revision: int) -> Shape:
    """What ``shape`` holds beside these entries: it is written after them, with another revision than before."""
    lengths = 0
    for key in entries:
        lengths |= 1 << key.bits
    return Shape(lengths, revision)


def put(table: MutableMapping[Key, Any], wanted: Mapping[Key, Any]) -> None:
    """Write what is wanted into a table, and leave the rest of it."""
    for key, value in wanted.items():
        table[key] = value


def replace(table: MutableMapping[Key, Any], wanted: Mapping[Key, Any]) -> None:
    """Make a table hold what is wanted: first what is new, then away with the rest."""
    put(table, wanted)
    for key in [key for key in table if key not in wanted]:
        del table[key]
