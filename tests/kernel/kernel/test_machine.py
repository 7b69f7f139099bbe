"""What the running kernel says of itself: types, tracepoints, network, capabilities to probe."""

import os
import socket
import struct
from pathlib import Path

import pytest

from skep.btf.reader import Btf
from skep.btf.types import Kind
from skep.kernel import objects, probes
from skep.kernel.bpf import DOOR
from skep.kernel.namespaces import inside
from skep.kernel.netlink import Netlink
from skep.kernel.probe_table import FEATURES
from skep.kernel.tracefs import Tracefs
from skep.kernel.vmlinux import build_id, cpu_level, vmlinux
from skep.testing.network import Wire
from skep.testing.requirements import Requirements

# Offsets that the kernel has promised to user space, from the headers in include/uapi/linux.
UAPI = {
    "xdp_md": {
        "data": 0,
        "data_end": 4,
        "data_meta": 8,
        "ingress_ifindex": 12,
        "rx_queue_index": 16,
    },
    "__sk_buff": {
        "len": 0,
        "pkt_type": 4,
        "mark": 8,
        "protocol": 16,
        "cb": 48,
        "data": 76,
        "data_end": 80,
    },
    "bpf_sock_addr": {
        "user_family": 0,
        "user_ip4": 4,
        "user_ip6": 8,
        "user_port": 24,
        "family": 28,
    },
    "iphdr": {
        "tos": 1,
        "tot_len": 2,
        "ttl": 8,
        "protocol": 9,
        "check": 10,
        "saddr": 12,
        "daddr": 16,
    },
    "ethhdr": {"h_dest": 0, "h_source": 6, "h_proto": 12},
    "udphdr": {"source": 0, "dest": 2, "len": 4, "check": 6},
    "timespec64": {"tv_sec": 0, "tv_nsec": 8},
}


@pytest.mark.parametrize("name", UAPI)
def test_offsets_are_those_of_the_kernels_headers(btf: Btf, name: str) -> None:
    found = btf.find(Kind.STRUCT, name)
    assert found is not None
    offsets = {field.name: field.offset for field in btf.fields(found)}
    assert UAPI[name].items() <= offsets.items()


def test_bit_fields_are_those_of_the_kernels_headers(btf: Btf) -> None:
    tcp = btf.find(Kind.STRUCT, "tcphdr")
    assert tcp is not None
    bits = {f.name: (f.bit_offset, f.bitfield_size) for f in btf.fields(tcp)}
    assert bits["doff"] == (12 * 8 + 4, 4)
    assert bits["fin"] == (13 * 8, 1)
    assert bits["ack"] == (13 * 8 + 4, 1)
    assert bits["window"] == (14 * 8, 0)
    assert btf.size(tcp) == 20


def test_the_offset_of_a_field_is_where_the_kernel_itself_finds_it(btf: Btf) -> None:
    """The size of task_struct's name is in the kernel's own enumeration, its place in our reading."""
    task = btf.find(Kind.STRUCT, "task_struct")
    assert task is not None
    comm = btf.field(task, "comm")
    assert comm is not None
    assert btf.size(comm.type_id) == 16
    assert comm.offset + 16 <= btf.size(task)


def test_every_type_of_the_kernel_is_read(btf: Btf) -> None:
    for type_id in range(0, btf.count, 7):
        btf.type(type_id)
        btf.name(type_id)


def test_every_function_that_is_asked_for_is_found(btf: Btf) -> None:
    names = list(btf.names(Kind.FUNC))
    for name in names[::997]:
        found = btf.find(Kind.FUNC, name)
        assert found is not None
        assert btf.name(found) == name


def test_drop_reasons_have_names(btf: Btf) -> None:
    assert "SKB_DROP_REASON_NO_SOCKET" in btf.enum("skb_drop_reason").values()


def test_the_index_is_cached_by_the_kernels_build_id(tmp_path: Path) -> None:
    first = vmlinux(str(tmp_path))
    (saved,) = tmp_path.iterdir()
    assert build_id()[:40] in saved.name
    again = vmlinux(str(tmp_path))
    assert again.find(Kind.STRUCT, "sock") == first.find(Kind.STRUCT, "sock")
    assert again.count == first.count


def test_the_cpu_level_agrees_with_its_probe() -> None:
    assert (cpu_level() == "v4") is probes.probe("cpu.v4").on


def test_the_format_of_a_tracepoint_is_a_struct() -> None:
    with Tracefs.open() as tracefs:
        found = tracefs.formats("sched", "sched_switch")
        assert found is not None
        members = {field.name: (field.offset, field.type.size) for field in found.fields}
        assert members["prev_comm"][1] == members["next_comm"][1] == 16
        assert tracefs.event_id("sched/sched_switch") > 0
        assert "sched/sched_process_exec" in tracefs.events("sched")


def test_all_formats_are_understood() -> None:
    with Tracefs.open() as tracefs:
        for event in (
            tracefs.events("syscalls")[::20] + tracefs.events("sock") + tracefs.events("skb")
        ):
            found = tracefs.formats(*event.split("/"))
            assert found is not None
            for field in tracefs.fields(event):
                member = found.field(field.name)
                assert not field.size or (member is not None and member.offset == field.offset)


def test_devices_addresses_and_routes_are_those_that_were_made(wire: Wire) -> None:
    def work() -> None:
        with Netlink() as netlink:
            devices = {device.name: device for device in netlink.devices()}
            made = devices[wire.device]
            assert (made.kind, made.up, made.mtu, made.xdp) == ("veth", True, 1500, 0)
            assert made.ifindex == socket.if_nametoindex(wire.device)
            mine = socket.inet_pton(socket.AF_INET, wire.addresses[0])
            found = [(a.ifindex, a.prefix) for a in netlink.addresses() if a.address == mine]
            assert found == [(made.ifindex, 24)]
            net = socket.inet_pton(socket.AF_INET, "10.99.0.0")
            routes = [r for r in netlink.routes() if (r.destination, r.prefix) == (net, 24)]
            assert [(r.ifindex, r.table, r.gateway) for r in routes] == [(made.ifindex, 254, b"")]

    inside(wire.left.path, work)


def test_a_device_is_brought_up(wire: Wire) -> None:
    wire.left.run("ip", "link", "set", wire.device, "down")
    index = wire.left.index(wire.device)

    def work() -> bool:
        with Netlink() as netlink:
            netlink.set_up(index)
            return next(device.up for device in netlink.devices() if device.ifindex == index)

    assert inside(wire.left.path, work)


def test_what_netlink_refuses_is_an_errno() -> None:
    with Netlink() as netlink, pytest.raises(OSError, match="No such device"):
        netlink.set_up(0x7FFFFFF0)


def test_every_probe_answers_and_leaves_nothing(btf: Btf) -> None:
    fds = len(os.listdir("/proc/self/fd"))
    found = probes.probe_all(btf)
    assert list(found) == list(FEATURES)
    assert len(os.listdir("/proc/self/fd")) == fds
    for name in (
        "prog.xdp",
        "map.hash",
        "map.ringbuf",
        "helper.ringbuf_reserve",
        "link.raw_tracepoint",
    ):
        found[name].require()
    for probe in found.values():
        assert probe.on == (probe.why == "")


@pytest.mark.native("asks for every feature, which other tests do one by one there")
def test_what_is_said_to_be_absent_is_so_for_a_reason() -> None:
    """An older kernel, its configuration, or a policy: else the probe is wrong. Lockdown takes one helper away."""
    asked = Requirements()
    found = {name: asked.lack(name) for name in FEATURES if name != "helper.probe_write_user"}
    assert [one.reason for one in found.values() if one and not one.accepted] == []


def test_programs_maps_and_links_are_listed_by_the_kernel() -> None:
    for listed in (objects.programs(DOOR), objects.maps(DOOR), objects.links(DOOR)):
        numbers = [one.id for one in listed]
        assert numbers == sorted(set(numbers))


def test_a_namespace_is_entered_and_left(wire: Wire) -> None:
    ours = os.stat("/proc/thread-self/ns/net").st_ino
    there = inside(wire.left.path, lambda: os.stat("/proc/thread-self/ns/net").st_ino)
    assert there == os.stat(wire.left.path).st_ino != ours
    assert os.stat("/proc/thread-self/ns/net").st_ino == ours
    with pytest.raises(ZeroDivisionError):
        inside(wire.left.path, lambda: 1 // 0)


def test_structures_that_the_kernel_fills_are_as_long_as_ours(btf: Btf) -> None:
    for name, least in (("bpf_prog_info", 220), ("bpf_map_info", 72), ("bpf_link_info", 12)):
        found = btf.find(Kind.STRUCT, name)
        assert found is not None
        assert btf.size(found) >= least
    places = {f.name: f.offset for f in btf.fields(btf.find(Kind.STRUCT, "bpf_prog_info") or 0)}
    assert [places[n] for n in ("name", "run_time_ns", "run_cnt", "recursion_misses")] == [
        64,
        192,
        200,
        208,
    ]
    assert struct.calcsize("<II8sIIQQQIIQ16s") == places["name"] + 16
