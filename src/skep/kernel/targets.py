"""What a link is attached to, as the kernel tells it: a tracepoint, a device, a cgroup, a function, an event.

Values only. A table of one reader for each kind of link; one that is not in it has no target to show. Layouts are those
of struct bpf_link_info (include/uapi/linux/bpf.h).
"""

import struct
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from skep.btf.reader import Btf
from skep.kernel import commands, modules, vmlinux
from skep.kernel.bpf import Door, address
from skep.kernel.perf import EVENTS

ATTACH = "BPF_"
"""How the names of attach types begin."""
_SIZE = 104
_BODY = 16
_ROOM = 256


class Target(NamedTuple):
    """``kind`` is what ``what`` names: tracepoint, function, cgroup (its id), device (its index), netns (inode)...

    ``attach`` is the way where there are several: ingress, cgroup_device, ...
    """

    kind: str
    what: str
    attach: str = ""


NOTHING = Target("", "")
DETACHED = Target("nothing", "")
"""The target of a link that was detached: the kernel then tells the number 0 of a place."""
_NUMBERED = frozenset({"cgroup", "netns", "device"})


def target(door: Door, fd: int, link_type: int, kernel: Btf) -> Target:
    """The target of a link of ``enum bpf_link_type``; NOTHING where none is told, DETACHED where it was one."""
    read = _READERS.get(link_type)
    found = NOTHING if read is None else read(door, fd, kernel)
    return DETACHED if found.kind in _NUMBERED and found.what == "0" else found


def _raw(door: Door, fd: int, _kernel: Btf) -> Target:
    return Target("tracepoint", _text(door, fd, 16, 24))


def _iterator(door: Door, fd: int, _kernel: Btf) -> Target:
    return Target("iterator", _text(door, fd, 16, 24))


def _tracing(door: Door, fd: int, kernel: Btf) -> Target:
    _, owner, type_id = _numbers(door, fd, "III")
    if owner == 1 and type_id:  # 1 is the kernel itself, others are its modules and programs
        return Target("function", kernel.name(type_id).removeprefix("btf_trace_"))
    unknown = f"type {type_id} of object {owner}"
    return Target("function", _of_module(door, owner, type_id, kernel) or unknown)


def _of_module(door: Door, owner: int, type_id: int, kernel: Btf) -> str:
    """A function, named with its module; "" of a program's: ids of types begin behind the kernel's in modules only."""
    if type_id < kernel.count:
        return ""
    with suppress(OSError):
        module = modules.name(owner, door)
        types = vmlinux.module(module, kernel)
        return f"{module}:{types.name(type_id)}" if types else ""
    return ""


def _cgroup(door: Door, fd: int, kernel: Btf) -> Target:
    number, attach_type = _numbers(door, fd, "QI")
    name = kernel.enum("bpf_attach_type").get(attach_type, "")
    return Target("cgroup", str(number), name.removeprefix(ATTACH).lower())


def _netns(door: Door, fd: int, _kernel: Btf) -> Target:
    return Target("netns", str(_numbers(door, fd, "I")[0]))


def _device(door: Door, fd: int, _kernel: Btf) -> Target:
    return Target("device", str(_numbers(door, fd, "I")[0]))


def _tcx(door: Door, fd: int, kernel: Btf) -> Target:
    """A device and the way of packets; of netkit devices too."""
    device, attach_type = _numbers(door, fd, "II")
    way = kernel.enum("bpf_attach_type").get(attach_type, "").rpartition("_")[2].lower()
    return Target("device", str(device), way)


def _netfilter(door: Door, fd: int, _kernel: Btf) -> Target:
    family, hook, priority = _numbers(door, fd, "IIi")
    name = _NETFILTER_HOOKS[hook] if hook < len(_NETFILTER_HOOKS) else str(hook)
    return Target("netfilter", f"{_FAMILIES.get(family, family)} {name}, priority {priority}")


def _kprobes(door: Door, fd: int, _kernel: Btf) -> Target:
    """Functions, of which the kernel tells the addresses; they are many."""
    _, count, flags = _numbers(door, fd, "QII")
    return Target("kretprobe" if flags & _RETURN else "kprobe", _many(count, "function"))


def _uprobes(door: Door, fd: int, _kernel: Btf) -> Target:
    """Places in a file, of one process or all."""
    about = commands.info(door, fd, _SIZE)
    count, flags, pid = struct.unpack_from("<III", about, 52)
    path = _text(door, fd, 16, 48)
    who = f", pid {pid}" if pid else ""
    kind = "uretprobe" if flags & _RETURN else "uprobe"
    return Target(kind, f"{path}, {_many(count, 'place')}{who}")


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _map(door: Door, fd: int, _kernel: Btf) -> Target:
    return Target("map", str(_numbers(door, fd, "I")[0]))


def _perf_event(door: Door, fd: int, _kernel: Btf) -> Target:
    """A uprobe, kprobe, tracepoint or event: ``enum bpf_perf_event_type``."""
    kind = _numbers(door, fd, "I")[0]
    name = _PERF_KINDS.get(kind, "")
    if name in ("uprobe", "uretprobe", "kprobe", "kretprobe"):
        text = _text(door, fd, 24, 32)
        (offset,) = struct.unpack_from("<I", commands.info(door, fd, _SIZE), 36)
        return Target(name, f"{text}+{offset:#x}" if offset else text)
    if name == "tracepoint":
        return Target(name, _text(door, fd, 24, 32))
    if name == "event":
        config, event_type = struct.unpack_from("<QI", commands.info(door, fd, _SIZE), 24)
        return Target("perf event", _EVENTS.get((event_type, config), f"{event_type}:{config:#x}"))
    return Target("perf event", "")


def _numbers(door: Door, fd: int, layout: str) -> tuple[int, ...]:
    return struct.unpack_from("<" + layout, commands.info(door, fd, _SIZE), _BODY)


def _text(door: Door, fd: int, pointer: int, length: int) -> str:
    """A string that the kernel writes; ``pointer`` and ``length`` are the places in the info that say where."""
    text, about = bytearray(_ROOM), bytearray(_SIZE)
    struct.pack_into("<Q", about, pointer, address(text))
    struct.pack_into("<I", about, length, len(text))
    commands.info_into(door, fd, about)
    return text.split(b"\0", 1)[0].decode("utf-8", "replace")


_PERF_KINDS = {
    1: "uprobe",
    2: "uretprobe",
    3: "kprobe",
    4: "kretprobe",
    5: "tracepoint",
    6: "event",
}
_CLOCKS = {(6, 0): "cpu-clock", (7, 1): "task-clock"}
"""Two software events as newer kernels name them: the first of the types that they number themselves."""
_EVENTS = {number: name for name, number in EVENTS.items()} | _CLOCKS
_FAMILIES = {2: "ipv4", 10: "ipv6"}
_NETFILTER_HOOKS = ("prerouting", "input", "forward", "output", "postrouting")
_RETURN = 1
_READERS: dict[int, Callable[[Door, int, Btf], Target]] = {
    1: _raw,
    2: _tracing,
    3: _cgroup,
    4: _iterator,
    5: _netns,
    6: _device,
    7: _perf_event,
    8: _kprobes,
    9: _map,
    10: _netfilter,
    11: _tcx,
    12: _uprobes,
    13: _tcx,
    14: _map,
}
