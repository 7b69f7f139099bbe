"""The producer of ``bench.drain``: a program that fills a ring, and the process that runs it at a steady rate.

``python -m bench._drain_fill PROGRAM_FD RECORDS RATE`` says "ready", waits for a line, and makes RECORDS records, RATE
of them a second; it prints the seconds that this took.
"""

import os
import sys
import time

import skep
from skep.kernel import commands
from skep.kernel.bpf import DOOR, packed

PIDS, KINDS = 1024, 4
RUN = 1000
SIZE = 64 << 20
PAUSE = 0.0005


class Sample(skep.Record, size=128):
    """12 fields in 128 bytes."""

    pid: skep.u32
    uid: skep.u32
    cgroup: skep.u64
    duration: skep.u64
    sent: skep.u64
    port: skep.u32
    status: skep.u32


ring = skep.Ring(Sample, size=SIZE, wakeup="none")


@skep.raw_tp("sys_exit")
def fill(regs, count):  # type: ignore[no-untyped-def] # noqa: ANN202 - BTF types it
    """Makes ``count`` records: the result of the system call that a test run pretends."""
    for index in range(RUN):
        if index >= count:
            break
        sample = ring.reserve()
        if sample is None:
            continue
        number = sample.seq
        sample.kind = number & (KINDS - 1)
        sample.pid = number & (PIDS - 1)
        sample.uid = 1000
        sample.cgroup = number >> 8
        sample.duration = number * 3
        sample.sent = number
        sample.port = 443
        sample.status = 0
        sample.submit()


def main(program: int, records: int, rate: int) -> None:
    """Runs the program on the last CPU."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    context = bytes(packed("12Q", 0, RUN, *[0] * 10))
    print("ready", flush=True)
    sys.stdin.readline()
    start, made = time.monotonic(), 0
    while made < records:
        due = min(records, int((time.monotonic() - start) * rate))
        while made + RUN <= due:
            commands.prog_test_run(DOOR, program, b"", context, 0)
            made += RUN
        time.sleep(PAUSE)
    print(time.monotonic() - start, flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
