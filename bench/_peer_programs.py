"""The jobs of ``bench.peers`` as programs of ours; what bpftrace is given for the same job stands beside each."""

from typing import NamedTuple

import skep
from skep.lang.programs import Program

SLOTS = 64


class Moment(skep.Struct):
    """When a thread's call began, in ns; 0 where none did."""

    ns: skep.u64


calls = skep.PerCpuArray(skep.u64, 1)
by_process = skep.PerCpuHash(skep.u32, skep.u64, 10240)
begun = skep.TaskStorage(Moment)
took = skep.PerCpuArray(skep.u64, SLOTS)


@skep.syscall("getpid")
def count():
    """Count them."""
    calls.increment(0)


@skep.syscall("getpid")
def keyed():
    """Count them by process."""
    by_process.increment(skep.u32(skep.get_current_pid_tgid() >> 32))


@skep.syscall("getpid")
def begin():
    """When it began, by thread."""
    moment = begun.get(skep.get_current_task_btf())
    if moment is not None:
        moment.ns = skep.ktime_get_ns()


def log2(value: skep.u64):
    """The power of two that ``value`` reaches."""
    power = 0
    for step in range(6):
        width = 32 >> step
        if value >> width:
            value >>= width
            power += width
    return power


@skep.syscall_exit("getpid")
def end():
    """How long it took, as a histogram in powers of two."""
    moment = begun.lookup(skep.get_current_task_btf())
    if moment is not None and moment.ns != 0:
        took.increment(skep.u32(log2(skep.ktime_get_ns() - moment.ns)) & (SLOTS - 1))
        moment.ns = 0


class Job(NamedTuple):
    """Programs of ours, and the probes of bpftrace, of which the cheapest is taken."""

    programs: tuple[Program, ...]
    probes: tuple[str, ...]


ENTER = (
    "tracepoint:syscalls:sys_enter_getpid",
    "tracepoint:raw_syscalls:sys_enter /args->id == 39/",
)
LATENCY = (
    f"{ENTER[0]} {{ @begun[tid] = nsecs; }} tracepoint:syscalls:sys_exit_getpid /@begun[tid]/ "
    "{ @ = hist(nsecs - @begun[tid]); delete(@begun[tid]); }"
)
JOBS = {
    "count": Job((count,), tuple(f"{one} {{ @ = count(); }}" for one in ENTER)),
    "count by process": Job((keyed,), tuple(f"{one} {{ @[pid] = count(); }}" for one in ENTER)),
    "histogram of latency": Job(
        (begin, end),
        (LATENCY,),
    ),
}
