"""The jobs of ``bench.peers`` as programs of ours; what others are given for the same job stands beside each."""

from typing import NamedTuple

import skep
from bench.tracers import Tracer, bpftrace, perf_stat, syscount
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


@skep.syscall_exit("getpid")
def end():
    """How long it took, as a histogram in powers of two."""
    moment = begun.lookup(skep.get_current_task_btf())
    if moment is not None and moment.ns != 0:
        took.increment(skep.log2(skep.ktime_get_ns() - moment.ns))
        moment.ns = 0


class Job(NamedTuple):
    """Programs of ours, and peers, of which the cheapest of each name is taken."""

    programs: tuple[Program, ...]
    peers: tuple[Tracer, ...]


ENTER = (
    "tracepoint:syscalls:sys_enter_getpid",
    "tracepoint:raw_syscalls:sys_enter /args->id == 39/",
)
LATENCY = (
    f"{ENTER[0]} {{ @begun[tid] = nsecs; }} tracepoint:syscalls:sys_exit_getpid /@begun[tid]/ "
    "{ @ = hist(nsecs - @begun[tid]); delete(@begun[tid]); }"
)
JOBS = {
    "count": Job(
        (count,),
        (
            *(bpftrace(f"{one} {{ @ = count(); }}") for one in ENTER),
            perf_stat("syscalls:sys_enter_getpid"),
        ),
    ),
    "count by process": Job(
        (keyed,),
        (*(bpftrace(f"{one} {{ @[pid] = count(); }}") for one in ENTER), syscount("--process")),
    ),
    "histogram of latency": Job((begin, end), (bpftrace(LATENCY), syscount("--latency"))),
}
"""syscount takes all calls, of which the loop makes one, and has sums of latency in the place of a histogram."""

LEFT_OUT = {
    "bcc": "it compiles each program against headers of the kernel; its tools are libbpf-tools without that",
    "perf trace, strace": "they tell of each call in user space, and take microseconds for it",
    "sysdig, SystemTap": "they load kernel modules, which are built against headers of the kernel",
}
"""Tracers that are no peers here, and why."""
