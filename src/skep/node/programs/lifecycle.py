"""Processes that begin, run another program and end: fills the rings ``lifecycle`` and ``texts``.

Runs in the kernel on the scheduler's tracepoints. A pid is what the kernel calls tgid, in the initial
namespace. An argument vector or a file name that does not fit into an Exec follows in pieces, which
are in ``texts`` before their Exec is submitted. What cannot be read is marked, never left out.
"""

from skep.events.texts import PIECE, TEXT_HEADER, Text
from skep.lang.decorators.tracing import tp_btf
from skep.lang.helpers import HELPERS
from skep.lang.maps import LruHash, PerCpuArray, Ring
from skep.lang.programs import Program, inline
from skep.lang.struct import Struct
from skep.lang.types import s64, u8, u32, u64
from skep.node.programs.records import ARGS_GO_ON, CUT, FILENAME_GOES_ON, Exec, Exit, Fork, Oom

lifecycle = Ring(Exec, Fork, Exit, Oom, name="lifecycle")
texts = Ring(Text, wakeup="none", name="texts")
scratch = PerCpuArray(Text, 1, name="text_scratch")

FILENAME, ARGS = 0, 1
"""Which value a piece belongs to, as ``skep.node.arguments`` has it."""

HEAD = 112
LARGEST = 256 * 1024
PIECES = (LARGEST - HEAD + PIECE - 1) // PIECE
NAME = 64

probe_read_user = HELPERS["probe_read_user"]
probe_read_kernel_str = HELPERS["probe_read_kernel_str"]


@tp_btf("sched_process_exec")
def on_exec(task, old_pid, bprm):
    """A process is about to run another program: its new memory is there, its first instruction is not done."""
    event = lifecycle.reserve(Exec)
    if event is None:
        return
    event.pid = task.tgid
    event.ppid = task.real_parent.tgid
    event.uid = task.real_cred.uid.val
    event.gid = task.real_cred.gid.val
    event.cgroup = task.cgroups.dfl_cgrp.kn.id
    event.start = task.start_boottime
    event.comm = task.comm
    mm = task.mm
    marks = put_filename(event, bprm.filename)
    event.flags = marks | put_arguments(event, mm.arg_start, mm.arg_end - mm.arg_start)
    event.submit()


@inline
def put_filename(event, path):
    """Put the file name into an Exec; the flags that say what became of it."""
    copied = probe_read_kernel_str(event.filename, path)
    if copied < 0:
        event.filename_size = 0
        return u32(CUT)
    event.filename_size = u32(copied - 1)
    if copied < NAME:
        return u32(0)
    return send_filename(event, path)


@inline
def send_filename(event, path):
    """Send a file name that may be longer than its place, whole: it has at most PIECE bytes."""
    piece = scratch.lookup(0)
    if piece is None:
        return u32(CUT)
    copied = probe_read_kernel_str(piece.text, path)
    if copied <= NAME:
        return u32(0)
    size = u32(copied - 1)
    event.filename_size = size
    piece.of = event.seq
    piece.part = FILENAME
    piece.offset = 0
    piece.whole = size
    piece.used = size
    texts.output(piece, TEXT_HEADER + size)
    return u32(FILENAME_GOES_ON)


@inline
def put_arguments(event, start: u64, size: u64):
    """Put the argument vector into an Exec; the flags that say what became of it."""
    if probe_read_user(event.args, min(size, HEAD), start) < 0:
        event.args_size = 0
        return u32(CUT)
    event.args_size = u32(size)
    if size <= HEAD:
        return u32(0)
    return u32(ARGS_GO_ON) | send_arguments(event.seq, start, size)


def send_arguments(of: u64, start: u64, size: u64):
    """Send what of an argument vector did not fit, in pieces; CUT where some of it is missing.

    Only whole pieces are sent in the loop: with one path through it the verifier stays fast.
    """
    piece = scratch.lookup(0)
    if piece is None:
        return u32(CUT)
    whole = min(size, LARGEST)
    piece.of = of
    piece.part = ARGS
    piece.whole = u32(whole)
    offset: u64 = HEAD
    for _ in range(PIECES):
        if whole - offset <= PIECE:
            break
        if send_piece(piece, start + offset, offset, PIECE) < 0:
            return u32(CUT)
        offset += PIECE
    if send_piece(piece, start + offset, offset, min(whole - offset, PIECE)) < 0:
        return u32(CUT)
    return u32(CUT) if size > LARGEST else u32(0)


@inline
def send_piece(piece, address: u64, offset: u64, used: u64):
    """Send ``used`` bytes of user memory, which lie at ``offset`` of their value; 0 or negative."""
    if probe_read_user(piece.text, used, address) < 0:
        return s64(-1)
    piece.offset = u32(offset)
    piece.used = u32(used)
    return texts.output(piece, TEXT_HEADER + used)


@tp_btf("sched_process_fork")
def on_fork(parent, child):
    """A task was made and does not run yet."""
    if child.pid != child.tgid:
        return
    event = lifecycle.reserve(Fork)
    if event is None:
        return
    event.pid = child.tgid
    event.ppid = child.real_parent.tgid
    event.uid = child.real_cred.uid.val
    event.gid = child.real_cred.gid.val
    event.cgroup = child.cgroups.dfl_cgrp.kn.id
    event.start = child.start_boottime
    event.comm = child.comm
    event.submit()


# --- the end -----------------------------------------------------------------------------------------


class Life(Struct):
    """A process: its pid is another's when it has ended."""

    pid: u32
    unused: u32
    start: u64


told = LruHash(Life, u8, 1024, name="exits_told")
GROUP_EXIT = 4
NO_EXIST = 1


@tp_btf("sched_process_exit")
def on_exit(task, group_dead):
    """Since Linux 6.16 the kernel says which thread is the last."""
    if group_dead:
        ended(task)


@tp_btf("sched_process_exit")
def on_last_exit(task):
    """Before 6.16: when threads end at the same time, several may see that none is left.

    The first of them is told. A process that never had another thread needs no look into the map:
    the run time of a thread that was released is added up before it stops being counted.
    """
    signal = task.signal
    if signal.live.counter != 0:
        return
    if signal.nr_threads > 1 or signal.sum_sched_runtime != 0:
        life = Life(pid=task.tgid, start=task.group_leader.start_boottime)
        if told.update(life, 1, NO_EXIST) < 0:
            return
    ended(task)


@inline
def ended(task):
    """Tell that a process ended, of which ``task`` is the last thread."""
    event = lifecycle.reserve(Exit)
    if event is None:
        return
    leader = task.group_leader
    event.pid = task.tgid
    event.ppid = task.real_parent.tgid
    event.uid = task.real_cred.uid.val
    event.cgroup = task.cgroups.dfl_cgrp.kn.id
    event.start = leader.start_boottime
    event.comm = leader.comm
    status = leader.exit_code
    if task.signal.flags & GROUP_EXIT:
        status = task.signal.group_exit_code
    event.code = (status >> 8) & 0xFF
    event.signal = u32(status & 0x7F)
    put_times(event, task)
    event.submit()


@inline
def put_times(event, task):
    """Put CPU times into an Exit as wait4(2) gives them: the exact run time, split as ticks fell.

    Threads that end at the same moment and are not yet released are left out, but the leader.
    """
    signal = task.signal
    leader = task.group_leader
    run = signal.sum_sched_runtime + task.se.sum_exec_runtime
    user = signal.utime + task.utime
    system = signal.stime + task.stime
    if leader.pid != task.pid:
        run += leader.se.sum_exec_runtime
        user += leader.utime
        system += leader.stime
    if system == 0:
        event.user_ns = run
        event.system_ns = 0
        return
    share = (system >> 8) * 65536 // ((user + system) >> 8)
    in_kernel = (run >> 16) * share
    event.system_ns = in_kernel
    event.user_ns = run - in_kernel


def programs(*, group_dead: bool) -> tuple[Program, ...]:
    """The programs; ``group_dead``: whether the kernel's sched_process_exit has that argument."""
    return on_exec, on_fork, on_exit if group_dead else on_last_exit
