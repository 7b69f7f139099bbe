"""Iterators read what they are pointed at, and every kind of object that this kernel iterates over can be."""

import os
import socket
import subprocess
from contextlib import ExitStack

import pytest

import skep
from skep.btf.reader import Btf
from skep.kernel.probe_table import FEATURES
from skep.kernel.probes import State, probe_all
from skep.lang.kernel_types import KernelTypes
from skep.lang.maps import Declaration
from skep.program.machine import Machine
from skep.testing.cgroups import Cgroup
from tests.kernel.kinds.programs import iterators as programs
from tests.kernel.kinds.programs.iterators import Line

OF_MAPS: dict[str, Declaration] = {
    "bpf_map_elem": programs.numbers,
    "bpf_sk_storage_map": programs.values,
    "sockmap": programs.sockets,
}
HOLDERS = (programs.counts_numbers, programs.keeps_sockets)
"""Programs whose maps those are; they are attached to nothing."""
UNTOLD = ("dmabuf",)
"""Kinds of which there is nothing on most machines, and whose programs are not run at the end."""


def lines(data: bytes) -> set[tuple[int, int]]:
    """The pairs that an iterator wrote."""
    found = (Line.from_bytes(data[i : i + Line.size]) for i in range(0, len(data), Line.size))
    return {(line.first, line.second) for line in found}


def test_all_objects_are_gone_over_each_time_it_is_read() -> None:
    with skep.load(programs.threads) as live:
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
            assert {(os.getpid(), os.getpid()), (child.pid, child.pid)} <= lines(
                live.read(programs.threads)
            )
            child.kill()
        assert (child.pid, child.pid) not in lines(live.read(programs.threads))


def test_one_process_is_gone_over() -> None:
    with skep.load(programs.threads, programs.files, attach=False) as live:
        live.attach(programs.threads, pid=os.getpid())
        live.attach(programs.files, pid=os.getpid())
        assert {pid for pid, _ in lines(live.read(programs.threads))} == {os.getpid()}
        with open("/dev/null", "rb") as file:
            assert (os.getpid(), file.fileno()) in lines(live.read(programs.files))
        assert {pid for pid, _ in lines(live.read(programs.files))} == {os.getpid()}


@pytest.mark.requires("iterator.bpf_map_elem")
def test_the_entries_of_a_map_are_gone_over() -> None:
    with skep.load(programs.entries) as live:
        with pytest.raises(skep.SkepError, match="give the map"):
            live.attach(programs.entries)
        live.attach(programs.entries, programs.numbers)
        live[programs.numbers][3] = 30
        live[programs.numbers][4] = 40
        assert {(3, 30), (4, 40)} <= lines(live.read(programs.entries))


@pytest.mark.requires("iterator.bpf_sk_storage_map")
def test_the_values_of_sockets_are_gone_over() -> None:
    with (
        skep.load(programs.stored, programs.keeps_sockets) as live,
        socket.socket() as one,
        socket.socket() as other,
    ):
        live.attach(programs.stored, programs.values)
        for sock, value in ((one, 7), (other, 8)):
            sock.bind(("127.0.0.1", 0))
            live[programs.values][sock] = value
        wanted = {(7, one.getsockname()[1]), (8, other.getsockname()[1])}
        assert lines(live.read(programs.stored)) == wanted


@pytest.mark.requires("iterator.sockmap")
def test_the_sockets_of_a_map_are_gone_over() -> None:
    with ExitStack() as stack, skep.load(programs.connected, programs.keeps_sockets) as live:
        live.attach(programs.connected, programs.sockets)
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        client = stack.enter_context(socket.create_connection(server.getsockname()))
        live[programs.sockets].update({1: client, 3: server})
        wanted = {(1, client.getsockname()[1]), (3, server.getsockname()[1])}
        assert lines(live.read(programs.connected)) == wanted


@pytest.mark.requires("iterator.cgroup")
def test_the_cgroups_below_one_are_gone_over(cgroup: Cgroup) -> None:
    os.mkdir(f"{cgroup.path}/below")
    try:
        below = os.stat(f"{cgroup.path}/below").st_ino
        with skep.load(programs.groups) as live:
            with pytest.raises(skep.SkepError, match="one of self"):
                live.attach(programs.groups, cgroup.path, mode="sideways")
            live.attach(programs.groups, cgroup.path)
            assert {number for number, _ in lines(live.read(programs.groups))} == {cgroup.id, below}
        with skep.load(programs.groups) as live:
            live.attach(programs.groups, cgroup.path, mode="self")
            assert {number for number, _ in lines(live.read(programs.groups))} == {cgroup.id}
    finally:
        os.rmdir(f"{cgroup.path}/below")


def test_a_sleepable_iterator_reads_the_memory_of_processes() -> None:
    with skep.load(programs.reads_memory, attach=False) as live:
        live.attach(programs.reads_memory, pid=os.getpid())
        assert {pid for pid, _ in lines(live.read(programs.reads_memory))} == {os.getpid()}


@pytest.fixture(scope="module")
def btf() -> Btf:
    return Machine().btf


@pytest.mark.native("compiles a program for each kind of object")
def test_every_kind_of_object_is_gone_over(btf: Btf, cgroup: Cgroup) -> None:
    known = [
        name
        for name in KernelTypes(btf).iterators()
        if KernelTypes(btf).function(f"bpf_iter_{name}")
    ]
    assert {"task", "bpf_map", "tcp", "cgroup"} <= set(known)
    asked = probe_all(btf, [f"iterator.{name}" for name in known if f"iterator.{name}" in FEATURES])
    refused = {
        name.removeprefix("iterator.") for name, one in asked.items() if one.state is State.REFUSED
    }
    assert not {"task", "bpf_map", "tcp", "cgroup"} & refused
    made = {name: skep.iterator(name)(programs.each) for name in known if name not in refused}
    for name, program in made.items():
        holders = HOLDERS if name in OF_MAPS else ()
        with skep.load(program, *holders, attach=False) as live:
            live.attach(program, OF_MAPS.get(name, cgroup.path if name == "cgroup" else ""))
            assert live.read(program) == b""
            assert live[programs.counts][1] > 0 or name in UNTOLD, name
    for name in refused:
        what = f"iterator {name} programs: a policy of this host refuses it"
        with pytest.raises(skep.Unsupported, match=what):
            skep.load(skep.iterator(name)(programs.each), attach=False)
