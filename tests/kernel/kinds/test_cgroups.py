"""Each hook of a cgroup: it decides for the processes inside, and for no other; closed, it decides nothing."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import skep
from skep.lang.programs import Program
from skep.testing.cgroups import Cgroup
from skep.testing.network import Namespace
from tests.kernel.kinds.programs import cgroups as programs

pytestmark = pytest.mark.native("starts Python for each scene, seconds under emulation")
INSIDE = str(Path(__file__).with_name("inside.py"))
Scene = Callable[..., tuple[list[str], list[str], dict[int, int]]]


@pytest.fixture
def scene(cgroup: Cgroup, netns: Namespace) -> Scene:
    """What a scene says with programs attached and afterwards, and the counts of hits."""

    def run(name: str, *wanted: Program) -> tuple[list[str], list[str], dict[int, int]]:
        command = netns.command(sys.executable, INSIDE, name)
        with skep.load(*wanted) as live:
            for program in wanted:
                live.attach(program, cgroup.path)
            done = cgroup.run(*command)
            assert done.returncode == 0, done.stderr
            counts = {i: n for i, n in live[programs.counts].items() if n}
            outside = subprocess.run(command, capture_output=True, text=True, check=True)
            same = {i: n for i, n in live[programs.counts].items() if n}
            assert same == counts, "it ran for a process outside"
        return done.stdout.split(), outside.stdout.split(), counts

    return run


def test_a_socket_gets_a_priority_and_a_raw_one_is_refused(scene: Scene) -> None:
    inside, outside, counts = scene("create", programs.marks_sockets, programs.sees_the_end)
    assert inside == ["3", "E1"]
    assert outside[0] == "0"
    assert counts == {0: 2, 1: 1}


def test_a_bind_is_moved_and_refused(scene: Scene) -> None:
    inside, outside, counts = scene("bind4", programs.moves_a_bind, programs.refuses_a_port)
    assert inside == ["E1", "E1"]
    assert outside == ["127.0.0.1:5555", "127.0.0.1:5556"]
    assert counts[4] == counts[2] == 2
    inside, _, _ = scene("bind4", programs.moves_a_bind)
    assert inside == ["127.0.0.2:5556", "127.0.0.1:5556"]


def test_a_bind_over_ipv6_is_moved_and_refused(scene: Scene) -> None:
    wanted = (programs.moves_a_bind_of_six, programs.refuses_a_port_of_six)
    inside, outside, counts = scene("bind6", *wanted)
    assert inside == ["E1", ":::5556"]
    assert outside == [":::5555", ":::5556"]
    assert counts[5] == counts[3] == 2


def test_a_connection_is_moved_and_refused(scene: Scene) -> None:
    wanted = (programs.moves_a_connect, programs.refuses_a_connect_of_six)
    inside, outside, counts = scene("connect", *wanted)
    assert inside == ["127.0.0.1:5556", "E13", "E1"]
    assert outside[2] != "E1"
    assert counts == {6: 2, 7: 1}


def test_a_connection_over_ipv6_is_moved(scene: Scene) -> None:
    inside, outside, counts = scene("connect6", programs.moves_a_connect_of_six)
    assert inside == ["::1:5556"]
    assert outside[0].startswith("E")
    assert counts == {26: 1}


def test_a_low_port_is_bound_without_the_right_to_it(scene: Scene) -> None:
    inside, outside, counts = scene("low port", programs.lets_a_low_port_be_bound)
    assert (inside, outside, counts) == (["None"], ["E13"], {28: 1})


def test_a_datagram_leaves_from_another_address(scene: Scene, netns: Namespace) -> None:
    inside, _, counts = scene("datagrams4", programs.moves_a_datagram)
    assert inside[1].startswith("127.0.0.2:")
    netns.run("ip", "address", "add", "fd99::1/128", "dev", "lo", "nodad")
    inside, outside, counts = scene("moved datagrams6", programs.moves_a_datagram_of_six)
    assert (inside[0], outside[0][0]) == ("5", "E")
    assert inside[1].startswith("fd99::1:")
    assert counts == {27: 2}


def test_a_datagram_is_moved_and_its_sender_told_otherwise(scene: Scene) -> None:
    wanted = (programs.moves_a_datagram, programs.tells_another_sender)
    inside, _, counts = scene("datagrams4", *wanted)
    assert inside[0] == "5"
    assert inside[1].startswith("10.9.9.9:")
    assert counts == {8: 2, 10: 1}


def test_a_datagram_over_ipv6_is_refused_and_its_sender_told_otherwise(scene: Scene) -> None:
    wanted = (programs.refuses_a_datagram_of_six, programs.tells_another_sender_of_six)
    inside, outside, counts = scene("datagrams6", *wanted)
    assert inside == ["5", "::9:5555", "E1"]
    assert outside[2] == "5"
    assert counts == {9: 2, 11: 1}


def test_the_ends_of_a_connection_are_told_otherwise(scene: Scene) -> None:
    wanted = (programs.tells_another_peer, programs.tells_another_name)
    inside, outside, counts = scene("names4", *wanted)
    assert all(word.startswith("10.9.9.9:") for word in inside)
    assert all(word.startswith("127.0.0.1:") for word in outside)
    assert counts[12] == 1
    six = (programs.tells_another_peer_of_six, programs.tells_another_name_of_six)
    inside, outside, counts = scene("names6", *six)
    assert inside == ["::9:5555", "::9:5555"]
    assert counts[13] == 1


@pytest.mark.requires("prog.cgroup_unix")
def test_local_sockets_are_refused_and_seen(scene: Scene) -> None:
    wanted = (programs.refuses_a_local_connect, programs.refuses_a_local_datagram)
    inside, outside, counts = scene("local", *wanted)
    assert inside == ["E1", "True", "E1", "nobody", "False"]
    assert outside == ["None", "True", "5", "True", "True"]
    assert counts == {16: 1, 17: 1}
    seeing = (
        programs.sees_a_local_datagram,
        programs.sees_a_local_peer,
        programs.sees_a_local_name,
    )
    inside, _, counts = scene("local", *seeing)
    assert inside == outside
    assert counts == {18: 1, 19: 1, 20: 1}


@pytest.mark.requires("prog.cgroup_unix")
def test_a_connection_to_a_local_socket_is_moved(scene: Scene) -> None:
    inside, outside, counts = scene("moved name", programs.moves_a_local_connect)
    assert (inside, outside, counts) == (["None"], ["E111"], {31: 1})


def test_options_are_answered_narrowed_and_refused(scene: Scene) -> None:
    inside, outside, counts = scene("options", programs.answers_for_the_kernel)
    assert inside[0] == "99"
    assert outside[0] == "0"
    inside, outside, counts = scene("options", programs.narrows_an_option)
    assert inside == ["0", "E1", "0", "None", "5", "None", "5"]
    assert outside == ["0", "None", "4", "None", "6", "None", "3"]
    assert counts[22] == 3


def test_a_sysctl_is_hidden(scene: Scene) -> None:
    inside, outside, counts = scene("sysctl", programs.hides_a_sysctl)
    assert inside == ["read", "read", "E1"]
    assert outside[:2] == ["read", "read"]
    assert counts[23] == 3


def test_what_is_written_into_a_sysctl_is_changed(scene: Scene) -> None:
    inside, outside, counts = scene("time to live", programs.changes_a_sysctl)
    assert inside == ["E1", "64", "written", "33"]
    assert outside == ["written", "7", "written", "5"]
    assert list(counts) == [29]


def test_a_device_is_refused(scene: Scene) -> None:
    inside, outside, _ = scene("device", programs.refuses_a_device)
    assert inside == ["read", "E1"]
    assert outside == ["read", "read"]


def test_packets_are_dropped(scene: Scene) -> None:
    for program in (programs.drops_long_packets, programs.drops_long_packets_that_come):
        inside, outside, counts = scene("packets", program)
        assert inside == ["20"]
        assert outside == ["300"]
        assert list(counts.values()) == [2]


def test_connections_are_followed(cgroup: Cgroup, netns: Namespace) -> None:
    with skep.load(programs.follows_connections) as live:
        live.attach(programs.follows_connections, cgroup.path)
        done = cgroup.run(*netns.command(sys.executable, INSIDE, "names4"))
        assert done.returncode == 0, done.stderr
        seen = live[programs.life][0]
        assert (seen.active, seen.passive) == (1, 1)
        assert seen.closed >= 1


def test_a_connection_is_answered_for(scene: Scene) -> None:
    inside, outside, counts = scene("marks", programs.asks_for_ecn)
    assert (inside, outside) == (["1"], ["0"])
    assert list(counts) == [32]
