"""Memory is seen as a type of the program's own, in place."""

import socket

import pytest

import skep
from skep import Packet
from tests.kernel.lang.both import live, packets, plain
from tests.kernel.lang.seeing import programs
from tests.kernel.lang.seeing.programs import Count, Told


def test_memory_is_seen_as_another_type_as_in_plain_python() -> None:
    given = list(packets(11, 12))
    assert live(programs.seen_as_others, given) == plain(programs.seen_as_others, given)


def test_what_stands_before_a_packet_is_written_and_read() -> None:
    assert skep.run(programs.tells_before_the_packet, bytes(64)).verdict == 2
    assert skep.run(programs.reads_before_the_packet, bytes(64)).verdict == 0
    told = bytearray(Told(3, 4).to_bytes())
    assert programs.reads_before_the_packet.py(Packet(bytes(64), told=told)) == 7
    assert programs.reads_before_the_packet.py(bytes(64)) == 0


@pytest.mark.requires("iterator.bpf_map_elem")
def test_an_iterator_changes_the_values_of_a_map() -> None:
    with skep.load(programs.doubles, programs.fills, attach=False) as loaded:
        loaded.programs["fills"].test_run(bytes(64))
        loaded.attach(programs.doubles, programs.counts)
        assert sorted(loaded.read(programs.doubles).split(b"\n")) == [b"", b"5 40", b"6 8"]
        assert dict(loaded[programs.counts].items()) == {5: Count(40, 5), 6: Count(8, 6)}


@pytest.mark.requires("prog.struct_ops")
def test_a_congestion_control_keeps_what_it_knows_in_its_sockets() -> None:
    with (
        skep.load(programs.private) as loaded,
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket() as client,
    ):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"skep_private")
        client.connect(server.getsockname())
        peer, _ = server.accept()
        with peer:
            for _ in range(8):
                client.sendall(bytes(1000))
                received = 0
                while received < 1000:
                    received += len(peer.recv(1000))
        assert loaded[programs.acked][0] > 0
        assert loaded[programs.acked][1] > 0
