"""The processes that live now: an iterator that seeds the process table of an agent that starts late.

Runs in the kernel, in the reader's own time, once for every task; it writes a row for each process
whose last thread has not ended. It needs no ring and leaves nothing behind.
"""

import struct
from collections.abc import Iterator

from skep.lang.decorators.tracing import iterator
from skep.lang.helpers import HELPERS
from skep.lang.programs import Program
from skep.lang.struct import Struct
from skep.lang.types import char, u32, u64
from skep.node.images import Row


class Process(Struct):
    """A row as the program writes it."""

    pid: u32
    ppid: u32
    uid: u32
    gid: u32
    cgroup: u64
    start: u64
    comm: char[16]


seq_write = HELPERS["seq_write"]


@iterator("task")
def processes(context):
    """Once for every task, and once at the end without one."""
    task = context.task
    meta = context.meta
    if task is None or meta is None:
        return
    if task.pid != task.tgid or task.signal.live.counter == 0:
        return
    row = Process()
    row.pid = task.tgid
    row.ppid = task.real_parent.tgid
    row.uid = task.real_cred.uid.val
    row.gid = task.real_cred.gid.val
    row.cgroup = task.cgroups.dfl_cgrp.kn.id
    row.start = task.start_boottime
    row.comm = task.comm
    seq_write(meta.seq, row)


# --- user half ---------------------------------------------------------------------------------------

_ROW = struct.Struct("<4I2Q16s")


def rows(data: bytes) -> Iterator[Row]:
    """A row for each process in what one run of ``processes`` wrote."""
    for pid, ppid, uid, _gid, cgroup, start, comm in _ROW.iter_unpack(data):
        yield Row(pid, ppid, uid, cgroup, start, comm.partition(b"\0")[0])


def programs() -> tuple[Program, ...]:
    """The iterator; whoever loads it reads its link from a thread that may wait."""
    return (processes,)
