"""What tests of flows share: the machine, and events as a person reads them."""

import socket
from collections.abc import Iterator
from typing import Protocol

import pytest

from skep.flows import connections
from skep.program.live import Live
from skep.program.load import load
from skep.program.machine import Machine
from skep.testing.network import Namespace
from tests.kernel.flows.tcp import Told

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


@pytest.fixture(scope="module")
def live(machine: Machine) -> Iterator[Live]:
    """The programs, attached for all tests."""
    with load(*connections.programs(machine.btf), machine=machine) as loaded:
        yield loaded


@pytest.fixture
def seen(live: Live) -> Told:
    """What is told from now on."""
    for _ in live[connections.connections].poll():
        pass
    return Told(live)


@pytest.fixture
def told(seen: Told, netns: Namespace) -> Iterator[Told]:
    """What is told from now on; the test is in a namespace of its own."""
    with netns.entered():
        yield seen


def ends(event: Packet) -> tuple[str, int, str, int]:
    """Addresses and ports of an event: ours, or the packet's source, first."""
    family, size = (socket.AF_INET, 4) if event.family == INET else (socket.AF_INET6, 16)
    assert not any(event.saddr[size:])
    assert not any(event.daddr[size:])
    ours, theirs = (
        socket.inet_ntop(family, bytes(one[:size])) for one in (event.saddr, event.daddr)
    )
    return ours, event.sport, theirs, event.dport
