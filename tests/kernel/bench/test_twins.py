"""Programs and their twins give the same verdicts, records and counts where the kernel runs them on request."""

import socket
import struct

import pytest

from bench import clang, shipped
from bench._packets import PORTS, packet
from bench.codegen import compilable, target
from skep.kernel.probes import probe
from skep.program.machine import Machine
from tests.kernel.bench.conftest import Both, Loads, Objects, same
from tests.kernel.bench.libbpf import Libbpf, Object

pytestmark = pytest.mark.native("clang's objects are made for the kernel of this machine")

WHOLE = 34
"""A test run takes no socket buffer that ends within its IP header."""


def test_the_slots_that_are_counted_are_those_that_libbpf_loads(
    machine: Machine, objects: Objects, libbpf: Libbpf, every: dict[str, shipped.Shipped]
) -> None:
    kinds = {one.program.kind.name for one in every.values()}
    taken = {name for name in kinds if probe(f"kind.{name}", machine.btf).on}
    wanted = compilable(every.values(), target(machine))
    assert wanted
    for one in wanted:
        if one.program.kind.name not in taken:  # a policy of the host refuses it
            continue
        data = objects(one.twin)
        with Object(libbpf, data, [one.program.name]) as loaded:
            assert loaded.slots(one.program.name) == clang.sizes(data)[one.program.name]


# --- packets ---------------------------------------------------------------------------------------


def packets() -> list[bytes]:
    """Protocols, ports, options, other ethertypes, and packets that end early, at every byte."""
    whole = [
        packet(protocol, source, destination, options)
        for protocol in (socket.IPPROTO_UDP, socket.IPPROTO_TCP, socket.IPPROTO_ICMP)
        for source, destination in ((PORTS[2], PORTS[0]), (PORTS[3], PORTS[1]), PORTS[:2])
        for options in (0, 1, 10)
    ]
    other = [b"\0" * 12 + b"\x86\xdd" + bytes(60), packet(17, 1, PORTS[0], version=6)]
    short = [one[:size] for one in whole[:1] + whole[-1:] for size in range(14, len(one))]
    return whole + other + short


def verdicts(both: Both, name: str, given: list[bytes]) -> list[int]:
    """What both sides say of each packet: the same."""
    ours, theirs = ([run(one).retval for one in given] for run in both.runs(name))
    assert ours == theirs
    return ours


def test_xdp_drop_port(both: Loads) -> None:
    found = verdicts(both("examples/04_drop_port.py", "drop"), "drop", packets())
    assert set(found) == {1, 2}


@pytest.mark.parametrize(("name", "counts"), [("on_egress", "sent"), ("on_ingress", "received")])
def test_tc_bytes(both: Loads, name: str, counts: str) -> None:
    loaded = both("examples/05_bytes.py", name)
    verdicts(loaded, name, [one for one in packets() if len(one) >= WHOLE])
    ours, theirs = loaded.maps(counts)
    assert ours == theirs
    assert len(ours) > 1


# --- tracepoints -----------------------------------------------------------------------------------


def test_samples(both: Loads) -> None:
    loaded = both("bench._drain_fill", "fill")
    for run in loaded.runs("fill"):
        for count in (0, 1, 37):
            run(ctx=struct.pack("<12Q", 0, count, *[0] * 10))
    ours, theirs = loaded.records("ring")
    same(ours, theirs, count=38)
    assert [one.seq for one in ours] == [one.seq for one in theirs] == list(range(38))
    assert loaded.counts("ring") == ((38, 0), (38, 0))


def test_a_ring_that_is_full(both: Loads) -> None:
    loaded = both("bench._drain_fill", "fill")
    context = struct.pack("<12Q", 0, 1000, *[0] * 10)
    room = (64 << 20) // (128 + 8)
    for run in loaded.runs("fill"):
        for _ in range(room // 1000 + 2):
            run(ctx=context)
    ours, theirs = loaded.counts("ring")
    assert ours == theirs
    assert ours[1] == ours[0] - room > 0
