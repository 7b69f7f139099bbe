"""What tests of flows share: the machine, and events as a person reads them."""

import socket
from typing import Protocol

import pytest

from skep.program.machine import Machine

INET = 2


class Packet(Protocol):
    """An event with addresses and ports."""

    family: int
    sport: int
    dport: int
    saddr: list[int]
    daddr: list[int]


@pytest.fixture(scope="session")
def machine() -> Machine:
    return Machine()


def ends(event: Packet) -> tuple[str, int, str, int]:
    """Addresses and ports of an event: ours, or the packet's source, first."""
    family, size = (socket.AF_INET, 4) if event.family == INET else (socket.AF_INET6, 16)
    assert not any(event.saddr[size:])
    assert not any(event.daddr[size:])
    ours, theirs = (
        socket.inet_ntop(family, bytes(one[:size])) for one in (event.saddr, event.daddr)
    )
    return ours, event.sport, theirs, event.dport
