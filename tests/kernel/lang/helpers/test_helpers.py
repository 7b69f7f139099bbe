"""Fakes of helpers answer as the kernel does, also where a call is wrong."""

import random

import pytest

from skep.lang.programs import Program
from tests.kernel.lang.both import live, plain
from tests.kernel.lang.helpers import programs

PROGRAMS = [one for one in vars(programs).values() if isinstance(one, Program)]
CGROUP = programs.bytes_of_a_cgroups_packet
ETHERNET = 14
TEXTS = (b"12ab", b" -7", b"0x1f", b"017", b"0", b"", b"-0x", b"99999999999", b"+5", b"08")


def packets() -> list[bytes]:
    """Packets of any bytes, with a text or a checksum of 0 in some."""
    rng = random.Random(3)
    made = [bytearray(rng.randbytes(180)) for _ in TEXTS]
    for packet, text in zip(made, TEXTS, strict=True):
        packet[12:14] = b"\x88\xb5"
        packet[14:26] = text.ljust(12, b"\0")
    for packet in made[::2]:
        packet[30:34] = bytes(4)
    return [bytes(packet) for packet in made]


@pytest.mark.parametrize(
    "program", [one for one in PROGRAMS if one is not CGROUP], ids=lambda one: one.name
)
def test_the_same_as_plain_python(program: Program) -> None:
    given = packets()
    assert live(program, given) == plain(program, given)


def test_the_packet_of_a_cgroup_begins_at_its_network_header() -> None:
    given = packets()
    seen = [verdict for verdict, _ in live(CGROUP, given)]
    assert seen == [verdict for verdict, _ in plain(CGROUP, [one[ETHERNET:] for one in given])]
    assert set(seen) == {0, 1}
