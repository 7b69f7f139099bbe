"""What happens to processes: the records of the lifecycle ring, 256 bytes each.

Values only: the programs beside this module fill them (Oom: those of ``skep.trace``, which share the
ring so that its events keep their order), the user half reads them as batches.
"""

from signal import Signals

from skep.events import kinds
from skep.events.record import Record
from skep.lang.forms import Given, Hidden, Marks, Names, Unless, Words
from skep.lang.types import char, s32, u8, u32, u64

FILENAME_GOES_ON = 1 << 0
ARGS_GO_ON = 1 << 1
CUT = 1 << 2
ONLY_PID = 1 << 0
"""Of an Oom: the kernel told nothing of the victim but its pid."""

_CUT = Marks(((CUT, "cut"),))
_SIGNALS = Names(tuple((one.value, one.name) for one in Signals))


class Exec(
    Record,
    kind=kinds.EXEC,
    size=256,
    forms={
        "flags": _CUT,
        "args": Words(used="args_size"),
        "args_size": Hidden(),
        "filename_size": Hidden(),
    },
):
    """A process began to run another program.

    flags: bit 0: filename goes on in texts; bit 1: args go on in texts; bit 2: longer than what is
        carried, cut
    pid: process (the kernel's tgid)
    ppid: its parent
    uid: real user, in the initial user namespace
    gid: real group, in the initial user namespace
    cgroup: id (inode) in the unified hierarchy
    start: when the process started, since boot [ns]
    args_size: of the whole argument vector, with its NULs [bytes]
    filename_size: of the whole file name, without a NUL [bytes]
    comm: name of the thread group leader
    filename: as given to execve, its first bytes
    args: NUL-separated, its first bytes
    """

    pid: u32
    ppid: u32
    uid: u32
    gid: u32
    cgroup: u64
    start: u64
    args_size: u32
    filename_size: u32
    comm: char[16]
    filename: char[64]
    args: u8[112]


class Fork(Record, kind=kinds.FORK, size=256):
    """A process was made; threads are not told.

    pid: the new process
    ppid: its parent
    uid: real user, in the initial user namespace
    gid: real group, in the initial user namespace
    cgroup: id (inode) in the unified hierarchy
    start: when the process started, since boot [ns]
    comm: name, still its parent's
    """

    pid: u32
    ppid: u32
    uid: u32
    gid: u32
    cgroup: u64
    start: u64
    comm: char[16]


class Exit(
    Record,
    kind=kinds.EXIT,
    size=256,
    forms={"code": Unless("signal"), "signal": Given(_SIGNALS)},
):
    """The last thread of a process ended.

    pid: process (the kernel's tgid)
    ppid: its parent
    uid: real user, in the initial user namespace
    code: exit status, where it exited by itself
    signal: what killed it, or 0
    cgroup: id (inode) in the unified hierarchy
    start: when the process started, since boot [ns]
    user_ns: CPU time in user mode, of all its threads [ns]
    system_ns: CPU time in the kernel, of all its threads [ns]
    comm: name of the thread group leader
    """

    pid: u32
    ppid: u32
    uid: u32
    code: s32
    signal: u32
    cgroup: u64
    start: u64
    user_ns: u64
    system_ns: u64
    comm: char[16]


class Oom(Record, kind=kinds.OOM, size=256):
    """The kernel killed a process for want of memory.

    flags: bit 0: only pid is known
    pid: the victim (the kernel's tgid)
    uid: its real user, in the initial user namespace
    cgroup: id (inode) in the unified hierarchy
    resident_bytes: its memory that was in RAM [bytes]
    comm: name of the thread group leader
    """

    pid: u32
    uid: u32
    cgroup: u64
    resident_bytes: u64
    comm: char[16]
