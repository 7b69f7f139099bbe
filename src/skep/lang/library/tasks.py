"""Tasks: functions for programs that are given a ``struct task_struct``, or ask who runs now.

A process is what user space calls one, with a pid; the kernel calls that number ``tgid``, and ``pid`` that of a thread.
"""

from typing import Any

from skep.lang.helpers import HELPERS
from skep.lang.types import u32, u64

_pid_tgid = HELPERS["get_current_pid_tgid"]
_uid_gid = HELPERS["get_current_uid_gid"]


def current_process() -> Any:
    """The pid of the process that runs now."""
    return u32(_pid_tgid() >> 32)


def current_thread() -> Any:
    """The number of the thread that runs now."""
    return u32(_pid_tgid())


def current_user() -> Any:
    """The user whose process runs now."""
    return u32(_uid_gid())


def parent(task: Any) -> Any:
    """The pid of the process that started this one, or took it over."""
    return u32(task.real_parent.tgid)


def is_process(task: Any) -> Any:
    """Whether a task is the first thread of its process."""
    return task.pid == task.tgid


def user(task: Any) -> Any:
    """The user that a task began as; what it acts as for a while is not looked at."""
    return u32(task.real_cred.uid.val)


def cgroup(task: Any) -> Any:
    """The id of a task's cgroup of version 2, as ``stat`` shows it as the inode of its directory."""
    return u64(task.cgroups.dfl_cgrp.kn.id)


def inner_pid(task: Any) -> Any:
    """A process as it calls itself: its pid within its own pid namespace, 1 for the first one of a container."""
    pid = task.group_leader.thread_pid
    return u32(pid.numbers[pid.level].nr)


def pid_namespace(task: Any) -> Any:
    """The number of a task's pid namespace, that of ``/proc/PID/ns/pid``."""
    pid = task.group_leader.thread_pid
    return u32(pid.numbers[pid.level].ns.ns.inum)
