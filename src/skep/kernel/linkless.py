"""What is attached without a link: to cgroups and devices, as tc, ip and systemd do it, to events, as bpftrace does.

A program on a cgroup, or a device of this network namespace, stays until it is taken away there; no descriptor and no
pin keeps it. One on an event ends with the descriptor of the event. Values only.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

from skep.btf.reader import Btf
from skep.kernel import commands
from skep.kernel.bpf import Door
from skep.kernel.commands import Attached
from skep.kernel.netlink import BPF, EGRESS, INGRESS, Device, Netlink
from skep.kernel.stats import PROC, Holder, comm
from skep.kernel.targets import ATTACH, Target

CGROUP_TYPES = "BPF_CGROUP_"
CLSACT = "clsact"
_EVENT = "anon_inode:[perf_event]"
_EVENTS = ("tracepoint", "tracepoint", "kprobe", "kretprobe", "uprobe", "uretprobe")
"""By ``enum bpf_task_fd_type``."""
_WAYS = ((INGRESS, "ingress"), (EGRESS, "egress"))


class Linkless(NamedTuple):
    """A program, by its id, and where it is; ``kind`` is cgroup, xdp, tc or perf_event.

    ``holder`` is the process that has the event, None where a place holds the program.
    """

    kind: str
    program: int
    target: Target
    holder: Holder | None = None


def on_devices() -> Iterator[Linkless]:
    """XDP programs, also those that a link has put there, and the filters of clsact."""
    with Netlink() as netlink:
        for device in netlink.devices():
            if device.xdp:
                yield Linkless("xdp", device.xdp, Target("device", str(device.ifindex)))
            if CLSACT in netlink.qdiscs(device.ifindex):
                yield from _filters(netlink, device)


def _filters(netlink: Netlink, device: Device) -> Iterator[Linkless]:
    for parent, way in _WAYS:
        for one in netlink.filters(device.ifindex, parent):
            if one.kind == BPF:
                yield Linkless("tc", one.program_id, Target("device", str(device.ifindex), way))


def on_events(door: Door, proc: str = PROC) -> Iterator[Linkless]:
    """Programs on events of perf, also those of links, of all processes that we may look into. Each once a process."""
    for pid in filter(str.isdigit, os.listdir(proc)):
        found: dict[Attached, int] = {}
        with suppress(OSError):
            for fd in os.listdir(f"{proc}/{pid}/fd"):
                with suppress(OSError):
                    if os.readlink(f"{proc}/{pid}/fd/{fd}") == _EVENT:
                        found[commands.task_fd_query(door, int(pid), int(fd))] = int(fd)
            name = comm(f"{proc}/{pid}") if found else ""
        for one, number in found.items():
            place = f"{one.name}+{one.offset:#x}" if one.offset and one.kind > 1 else one.name
            holder = Holder("perf event", one.program, int(pid), name, number)
            yield Linkless("perf_event", one.program, Target(_EVENTS[one.kind], place), holder)


def on_cgroups(
    door: Door, root: str, cgroups: Iterable[tuple[int, str]], kernel: Btf
) -> Iterator[Linkless]:
    """Programs of cgroups, also those of links. ``cgroups`` are ids and paths below ``root``, as targets name them."""
    types = {
        number: name.removeprefix(ATTACH).lower()
        for number, name in kernel.enum("bpf_attach_type").items()
        if name.startswith(CGROUP_TYPES)
    }
    for inode, path in cgroups:
        with suppress(OSError):  # it is gone meanwhile
            fd = os.open(root + path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                yield from _of(door, fd, inode, types)
            finally:
                os.close(fd)


def _of(door: Door, fd: int, inode: int, types: dict[int, str]) -> Iterator[Linkless]:
    """The programs of one cgroup; types that the kernel does not query are passed over."""
    for number, name in types.items():
        with suppress(OSError):
            for program in commands.prog_query(door, fd, number):
                yield Linkless("cgroup", program, Target("cgroup", str(inode), name))
