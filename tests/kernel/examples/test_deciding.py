"""Examples that decide: about packets in a namespace of their own, about what a cgroup of their own may run."""

import re
import runpy
import struct

import pytest

import skep
from bench._packets import ACK, SYN, opening
from skep.kernel.probes import probe
from skep.kernel.vmlinux import vmlinux
from tests.kernel.examples.running import ROOT, WAYS, output_of


@pytest.mark.parametrize("by", WAYS)
def test_a_flood_is_held_up_and_the_packets_of_others_are_not(by: tuple[str, ...]) -> None:
    """The bucket holds 20, and one more each second, however long this takes."""
    output = output_of("13_rate_limit.py", by=by)
    found = re.fullmatch(
        r"127\.0\.0\.2 sent 100, arrived: (\d+)\n"
        r"127\.0\.0\.3 sent 10, arrived: 10\n"
        r"buckets: 2\n",
        output,
    )
    assert found is not None, output
    assert 20 <= int(found[1]) < 100


@pytest.mark.native("plain Python")
def test_a_bucket_of_twenty_gets_one_a_second() -> None:
    """The program as plain Python, where time passes when the test says so."""
    limit = runpy.run_path(str(ROOT / "examples/13_rate_limit.py"))["limit"]
    kernel = skep.FakeKernel(now=10**12)

    def passed(source: int, packets: int) -> int:
        packet = bytes(12) + b"\x08\x00" + bytes(12) + source.to_bytes(4, "big") + bytes(60)
        return [limit.py(packet, kernel=kernel) for _ in range(packets)].count(2)

    assert passed(1, 25) == 20
    assert passed(2, 3) == 3
    kernel.advance(999_999_999)
    assert passed(1, 2) == 0
    kernel.advance(1)
    assert passed(1, 2) == 1
    kernel.advance(3600 * 10**9)
    assert passed(1, 25) == 20


def test_attempts_to_connect_are_counted_by_port() -> None:
    assert output_of("14_syn_counter.py").splitlines() == [
        "port    22: 2 SYN",
        "port    80: 5 SYN",
        "port   443: 3 SYN",
    ]


@pytest.mark.parametrize("by", WAYS)
def test_connections_are_made_of_cookies(by: tuple[str, ...]) -> None:
    assert output_of("17_syn_cookies.py", by=by).splitlines() == [
        *["received: hello"] * 3,
        "SYNs that XDP answered: 3, connections of cookies: 3",
    ]


@pytest.mark.native("plain Python")
def test_an_answer_carries_the_cookie_and_a_true_checksum() -> None:
    """The program as plain Python, with a listener that gives one cookie."""
    names = runpy.run_path(str(ROOT / "examples/17_syn_cookies.py"))
    answers, answered = names["answers"], names["answered"]
    kernel = skep.FakeKernel(
        helpers={
            "skc_lookup_tcp": lambda ends, *_: ends if ends.dport == 80 else None,
            "tcp_gen_syncookie": lambda *_: 1460 << 32 | 0xCAFE0001,
            "sk_release": lambda _: 0,
        }
    )
    packet = bytearray(opening(80))
    assert answers.py(packet, kernel=kernel) == 3
    head = struct.unpack(">HHIIBBHHH", packet[34:54])
    assert head[:6] == (80, 40000, 0xCAFE0001, 8, 10 << 4, SYN | ACK)
    words = struct.unpack(">26H", packet[26:34] + struct.pack(">HH", 6, 40) + packet[34:])
    assert sum(words) % 0xFFFF == 0
    assert list(packet[:12]) == [*range(6, 12), *range(6)]
    assert list(packet[54:58]) == [2, 4, 5, 0xB4]
    for other in (opening(81), opening(80, ACK), opening(80, SYN, 5), opening(80)[:73]):
        assert answers.py(other, kernel=kernel) == 2
    assert sum(kernel[answered][0]) == 1


@pytest.mark.requires("prog.lsm")
def test_an_executable_is_refused_to_one_cgroup() -> None:
    assert output_of("16_no_exec.py").splitlines() == [
        "outside, the tool: ran",
        "inside,  another:  ran",
        "inside,  the tool: Operation not permitted",
        "inside,  renamed:  Operation not permitted",
        "refused: 2",
    ]


def test_where_a_kernel_refuses_lsm_programs_the_example_says_what_to_use_instead() -> None:
    said = output_of("16_no_exec.py").startswith("this kernel does not offer lsm programs: ")
    assert said is not probe("prog.lsm", vmlinux()).on
