"""Programs on sockets, maps of sockets, namespaces, routes and objects to iterate over. On the fake kernel."""

import os
import socket
from pathlib import Path

import pytest

from skep.base.errors import BadInput, KernelError, Unsupported
from skep.btf.reader import Btf
from skep.btf.types import Kind
from skep.btf.writer import Builder
from skep.kernel import routes
from skep.kernel.attachment import Attachment
from skep.kernel.commands import Command
from skep.kernel.links import attach
from skep.kernel.programs import Program
from skep.testing.door import FakeDoor
from skep.testing.fake_objects import FakeLink
from tests.unit.kernel.samples import program

NETFILTER = (("family", 2), ("hook", 1), ("priority", -5), ("defragment", 0))


@pytest.fixture
def door() -> FakeDoor:
    return FakeDoor()


def loaded(door: FakeDoor, kind: str, target: str = "", **options: int | str) -> Program:
    make = Builder()
    for name in ("bpf_map_elem", "cgroup", "task"):
        make.func(f"bpf_iter_{name}", make.prototype(0, []))
    spec = program(kind, target, options=tuple(options.items()))
    return Program.load(spec, [], Btf(make.build()), door=door)


def link(door: FakeDoor) -> FakeLink:
    (found,) = door.of(FakeLink)
    assert isinstance(found, FakeLink)
    return found


def test_a_namespace_is_named_by_its_file(door: FakeDoor) -> None:
    with attach(loaded(door, "sk_lookup"), netns="/proc/self/ns/net"):
        assert link(door).attach_type == 36
    with attach(loaded(door, "flow_dissector")):
        assert link(door).attach_type == 17
    with pytest.raises(BadInput, match="/none cannot be opened"):
        attach(loaded(door, "sk_lookup"), netns="/none")


def test_netfilter_takes_family_hook_and_priority(door: FakeDoor) -> None:
    with attach(loaded(door, "netfilter", "input", **dict(NETFILTER))):
        assert (link(door).attach_type, link(door).target) == (45, 0)


def test_a_socket_is_wanted_for_a_socket_filter(door: FakeDoor) -> None:
    with pytest.raises(BadInput, match="give the socket"):
        attach(loaded(door, "socket_filter"), "eth0")
    with socket.socket() as one, pytest.raises(KernelError, match="setsockopt"):
        attach(
            loaded(door, "socket_filter"), one.fileno()
        )  # its descriptor is none of the system's


def test_a_map_of_sockets_takes_a_program_until_it_is_closed(door: FakeDoor) -> None:
    with pytest.raises(BadInput, match="give the map"):
        attach(loaded(door, "sk_msg"), "sockets")
    door.refuse(Command.PROG_ATTACH, 16)
    with pytest.raises(Exception, match="another program"):
        attach(loaded(door, "sk_msg"), 0)


def test_an_attachment_is_taken_away_once_and_is_no_link(door: FakeDoor) -> None:
    undone: list[int] = []
    with Attachment("sk_msg 3", lambda: undone.append(1)) as held:
        with pytest.raises(Unsupported, match="is no link"):
            held.pin("/pins/one")
        with pytest.raises(Unsupported, match="is no link"):
            held.update(loaded(door, "sk_msg"))
        assert undone == []
    held.close()
    assert undone == [1]


def test_an_iterator_is_told_what_it_goes_over(door: FakeDoor, tmp_path: Path) -> None:
    with attach(loaded(door, "iterator", "bpf_map_elem"), 5):
        assert link(door).attach_type == 28
    with pytest.raises(BadInput, match="give the map"):
        attach(loaded(door, "iterator", "bpf_map_elem"))
    with attach(loaded(door, "iterator", "cgroup"), str(tmp_path), mode="up"):
        assert link(door).attach_type == 28
    for target, mode in ((str(tmp_path), "sideways"), ("", "up")):
        with pytest.raises(BadInput, match="one of self, down"):
            attach(loaded(door, "iterator", "cgroup"), target, mode=mode)
    with attach(loaded(door, "iterator", "task"), pid=os.getpid()):
        assert link(door).attach_type == 28


def test_a_syscall_program_is_attached_to_nothing(door: FakeDoor) -> None:
    with pytest.raises(BadInput, match=r"skep\.run"):
        attach(loaded(door, "syscall"))


def test_a_route_is_read_as_a_person_writes_it() -> None:
    v4 = routes.parse("10.9.0.0/24 dev veth0 via 10.1.0.1")
    assert (v4.family, v4.length, v4.device) == (2, 24, "veth0")
    assert (v4.destination, v4.gateway) == (bytes([10, 9, 0, 0]), bytes([10, 1, 0, 1]))
    v6 = routes.parse("fd00::/64 dev veth0")
    assert (v6.family, v6.length, len(v6.destination), v6.gateway) == (10, 64, 16, b"")


@pytest.mark.parametrize(
    "text", ["", "10.9.0.0/24", "10.9.0.1/24 dev x", "here dev x", "10.0.0.0/8 via 1"]
)
def test_what_is_no_route_is_bad_input(text: str) -> None:
    with pytest.raises(BadInput, match="is no route to a device"):
        routes.parse(text)


def test_a_kind_that_the_kernel_lacks_is_unsupported_with_what_serves_instead(
    door: FakeDoor,
) -> None:
    door.refuse(Command.PROG_LOAD, 22, times=9)
    with pytest.raises(Unsupported) as caught:
        Program.load(program("netfilter", "input"), [], door=door)
    assert (caught.value.since, caught.value.instead) == ("6.4", "tc")


def test_types_of_the_kernel_are_needed_for_a_function() -> None:
    make = Builder()
    make.func("do_exit", make.prototype(0, []))
    btf = Btf(make.build())
    assert btf.find(Kind.FUNC, "do_exit")
    with pytest.raises(Unsupported, match="do_exit"):
        Program.load(program("fentry", "do_exib"), [], btf, door=FakeDoor())
