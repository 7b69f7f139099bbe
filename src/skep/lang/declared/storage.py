"""Declarations of maps whose values belong to a task, socket, inode or cgroup, and go with it."""

from typing import Any, NamedTuple, Unpack

from skep.lang.maps import NO_PREALLOC, Declaration, Options, compiled
from skep.lang.spec import MapType
from skep.lang.types import s32, u64

CLONE = 1 << 9
"""BPF_F_CLONE."""


class Owner(NamedTuple):
    """What a storage belongs to: its name, and the kernel's structs that a program may give."""

    word: str
    structs: tuple[str, ...]


class Storage(Declaration):
    """What the four have in common: a value for each owner, made when it is first asked for, zero."""

    owner: Owner

    def __init__(self, value: Any, **options: Unpack[Options]) -> None:
        super().__init__(s32, value, 1, flags=NO_PREALLOC, **options)
        self.entries = 0  # there is no limit but that of the owners

    def lookup(self, owner: Any) -> Any:
        """The value of an owner, in place, or None where it has none."""
        raise compiled("lookup")

    def get(self, owner: Any, initial: Any = None) -> Any:
        """The value of an owner, which is made where it is missing; None where there is no memory for it."""
        raise compiled("get")

    def delete(self, owner: Any) -> int:
        """Forget an owner's value; 0, or a negative errno."""
        raise compiled("delete")

    def __delitem__(self, owner: Any) -> None:
        raise compiled("delete")

    def __contains__(self, owner: Any) -> bool:
        raise compiled("in")


class TaskStorage(Storage):
    """``TaskStorage(value)``: a value for each task. Linux 5.11."""

    type = MapType.TASK_STORAGE
    owner = Owner("task", ("task_struct",))


class SocketStorage(Storage):
    """``SocketStorage(value)``: a value for each socket. Linux 5.2.

    With ``clone``, a connection that a listening socket accepts begins with a copy of that socket's value.
    """

    type = MapType.SK_STORAGE
    owner = Owner("socket", ("sock", "bpf_sock", "tcp_sock", "udp_sock", "inet_sock", "unix_sock"))

    def __init__(self, value: Any, *, clone: bool = False, **options: Unpack[Options]) -> None:
        super().__init__(value, **options)
        self.flags |= CLONE if clone else 0


class InodeStorage(Storage):
    """``InodeStorage(value)``: a value for each inode, in programs where BPF LSM is on. Linux 5.10."""

    type = MapType.INODE_STORAGE
    owner = Owner("inode", ("inode",))


class AttachedStorage(Declaration):
    """``AttachedStorage(value)``: a value for each cgroup that programs are attached to. Linux 4.19, by number 5.9.

    It is there as long as the map and the cgroup are. A program uses one of these: that of where it is attached.
    """

    type = MapType.CGROUP_STORAGE

    def __init__(self, value: Any, **options: Unpack[Options]) -> None:
        super().__init__(u64, value, 1, **options)
        self.entries = 0

    def get(self) -> Any:
        """The value of the cgroup to which the program is attached, in place."""
        raise compiled("get")


class PerCpuAttachedStorage(AttachedStorage):
    """``PerCpuAttachedStorage(value)``: the same, with a value for each CPU. Linux 4.20, by number 5.9."""

    type = MapType.PERCPU_CGROUP_STORAGE


class CgroupStorage(Storage):
    """``CgroupStorage(value)``: a value for each cgroup. Linux 6.2."""

    type = MapType.CGRP_STORAGE
    owner = Owner("cgroup", ("cgroup",))
