"""Which rows of a batch have an end at an address or a port: by their columns, all at once."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from skep.base.lazy import lazy

if TYPE_CHECKING:
    import numpy as np

    from skep.events.batch import Batch

    Mask = np.ndarray[Any, Any]
else:
    np = lazy("numpy")

FAMILIES = {4: 2, 6: 10}
"""The kernel's number of a version of IP."""


def at_port(batch: Batch, ports: frozenset[int]) -> Mask:
    """Rows of which either end has one of ``ports``."""
    if "sport" not in batch.columns:
        return np.zeros(len(batch), bool)
    wanted = np.fromiter(ports, "u4", len(ports))
    found: Mask = np.isin(batch["sport"], wanted) | np.isin(batch["dport"], wanted)
    return found


def at_address(batch: Batch, networks: tuple[str, ...]) -> Mask:
    """Rows of which either end is in one of ``networks``."""
    found = np.zeros(len(batch), bool)
    if "saddr" in batch.columns:
        for text in networks:
            network = ipaddress.ip_network(text)
            inside = _inside(batch["saddr"], network) | _inside(batch["daddr"], network)
            found |= inside & (batch["family"] == FAMILIES[network.version])
    return found


def _inside(column: Mask, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> Mask:
    first = np.frombuffer(network.network_address.packed, "u1")
    mask = np.frombuffer(network.netmask.packed, "u1")
    inside: Mask = (column[:, : len(first)] & mask == first).all(axis=1)
    return inside
