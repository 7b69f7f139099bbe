"""Programs for tests that look at objects of the kernel. They report on children of processes in ``mine`` only."""

import skep
from skep import Hash, Record, Ring, char, kernel_struct, s32, u8, u32, u64


class Seen(Record):
    """What a program sees of a process that starts."""

    pid: s32
    parent: s32
    grandparent: s32
    uid: u32
    execve: u32
    max_fds: u32
    opened: u32
    inherited: u32
    start: u64
    arguments: u64
    comm: char[16]
    current: char[16]
    filename: char[32]
    first: u8[8]
    user: char[32]


mine = Hash(u32, u32, 16)
seen = Ring(Seen)
FILE = kernel_struct("file")


@skep.tp_btf("sched_process_exec")
def directly(task, old_pid, bprm):
    """Pointers that the verifier knows are followed without a helper."""
    if u32(task.real_parent.tgid) not in mine:
        return
    e = seen.reserve()
    if e is None:
        return
    e.pid = task.tgid
    e.parent = task.real_parent.tgid
    e.grandparent = task.real_parent.real_parent.tgid
    e.uid = task.cred.uid.val
    e.execve = task.in_execve
    e.max_fds = task.files.fdt.max_fds
    first = task.files.fdt.fd[1]
    e.opened = first.f_flags
    e.inherited = u64(first) == u64(FILE(u64(first))) and FILE(u64(first)).f_flags == first.f_flags
    e.start = task.start_boottime
    e.arguments = task.mm.arg_start
    e.comm = task.comm
    skep.get_current_comm(e.current)
    skep.probe_read_kernel_str(e.filename, bprm.filename)
    for i in range(len(e.first)):
        e.first[i] = task.comm[i]
    skep.probe_read_user_str(e.user, task.mm.arg_start)
    e.submit()


@skep.raw_tp("sched_process_exec")
def by_probe(task, old_pid, bprm):
    """The same through pointers that the verifier knows nothing of."""
    if u32(task.real_parent.tgid) not in mine:
        return
    e = seen.reserve()
    if e is None:
        return
    e.pid = task.tgid
    e.parent = task.real_parent.tgid
    e.grandparent = task.real_parent.real_parent.tgid
    e.uid = task.cred.uid.val
    e.execve = task.in_execve
    e.max_fds = task.files.fdt.max_fds
    first = task.files.fdt.fd[1]
    e.opened = first.f_flags
    e.inherited = 1
    e.start = task.start_boottime
    e.arguments = task.mm.arg_start
    e.comm = task.comm
    skep.get_current_comm(e.current)
    skep.probe_read_kernel_str(e.filename, bprm.filename)
    for i in range(len(e.first)):
        e.first[i] = task.comm[i]
    skep.probe_read_user_str(e.user, task.mm.arg_start)
    e.submit()
