"""Bytes are reached through dynptrs: of values, packets in pieces, and files' attributes."""

import os
import socket
from pathlib import Path

import pytest

import skep
from skep.testing.network import Namespace
from tests.kernel.lang.dynptrs import programs

IPV4 = bytes(range(12)) + b"\x08\x00" + bytes(50)


@pytest.mark.requires("helper.dynptr_from_mem")
def test_a_value_is_read_written_and_changed_in_place() -> None:
    done = skep.run(programs.through_a_value, bytes(64))
    assert done.verdict == 3 << 16 | 0x0709
    (block,) = done.maps[programs.blocks].values()
    assert bytes(block.data[:14]) == bytes(6) + bytes(range(1, 7)) + b"\x07\x09"


@pytest.mark.requires("btf.argument_tags")
def test_a_global_function_is_given_a_dynptr() -> None:
    assert skep.run(programs.through_a_global_function, bytes(14)).verdict == 0x500 + 7


@pytest.mark.requires("kfunc.bpf_dynptr_from_skb")
def test_a_packet_is_seen_in_slices_that_have_the_type_of_their_buffer() -> None:
    done = skep.run(programs.through_a_packet, IPV4)
    assert done.verdict == 2
    assert done.packet[:14] == bytes(range(6, 12)) * 2 + b"\x86\xdd"
    assert skep.run(programs.through_a_packet, bytes(64)).verdict == 1


@pytest.mark.requires("prog.netfilter")
@pytest.mark.requires("kfunc.bpf_dynptr_from_skb")
def test_a_netfilter_program_sees_its_packet_through_a_dynptr(netns: Namespace) -> None:
    with skep.load(programs.through_a_filtered_packet, attach=False) as live:
        live.attach(programs.through_a_filtered_packet, netns=netns.path)
        with netns.entered():
            receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with receiver, sender:
            receiver.bind(("127.0.0.1", 0))
            for size in (13, 14):
                sender.sendto(bytes(size), receiver.getsockname())
            assert len(receiver.recv(100)) == 14


@pytest.mark.requires("prog.lsm")
@pytest.mark.requires("kfunc.bpf_get_file_xattr")
def test_text_is_given_to_a_function_of_the_kernels(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    os.setxattr(file, programs.NAME, b"of skep")
    with skep.load(programs.reads_an_attribute, attach=False) as live:
        live[programs.own][0] = os.getpid()
        live.attach(programs.reads_an_attribute)
        file.read_bytes()
        assert (live[programs.attributes][0].text, live[programs.attributes][0].length) == (
            "of skep",
            7,
        )
