"""Processes that the kernel kills for want of memory: adds to the ring ``lifecycle``.

Runs in the kernel when it marks its victim, which still has its memory then.
"""

from os import sysconf

from skep.lang.decorators.tracing import tp_btf
from skep.lang.kernel_names import kernel_struct
from skep.lang.programs import inline
from skep.lang.types import s64, u32, u64
from skep.node.programs.lifecycle import lifecycle
from skep.node.programs.records import ONLY_PID, Oom

MEMORY = kernel_struct("mm_struct")
PAGE = sysconf("SC_PAGE_SIZE")
FILE, ANON, SHMEM = 0, 1, 3
"""Of enum MM_*PAGES, what is resident."""


@tp_btf("mark_victim")
def on_victim(task):
    """Since Linux 6.2 a process's pages are in per-CPU counters."""
    rss = task.mm.rss_stat
    pages = positive(rss[FILE].count) + positive(rss[ANON].count) + positive(rss[SHMEM].count)
    killed(task, pages)


@tp_btf("mark_victim")
def on_victim_before(task):
    """Before 6.2 they are plain numbers, in an array that those verifiers do not look into."""
    count = MEMORY(task.mm).rss_stat.count
    pages = positive(count[FILE].counter) + positive(count[ANON].counter)
    killed(task, pages + positive(count[SHMEM].counter))


@inline
def killed(task, pages: u64):
    """Tell of a victim, which the tracepoint names since Linux 6.8, and in stable kernels before."""
    event = lifecycle.reserve(Oom)
    if event is None:
        return
    event.pid = task.tgid
    event.uid = task.real_cred.uid.val
    event.cgroup = task.cgroups.dfl_cgrp.kn.id
    event.comm = task.group_leader.comm
    event.resident_bytes = pages * PAGE
    event.submit()


def positive(count: s64):
    """A count; one that is kept by several CPUs may be below zero for a moment."""
    return u64(max(count, 0))


@tp_btf("mark_victim")
def on_victim_pid(pid):
    """Where the tracepoint names only a pid: the process table knows the rest."""
    event = lifecycle.reserve(Oom)
    if event is None:
        return
    event.pid = u32(pid)
    event.flags = ONLY_PID
    event.submit()
