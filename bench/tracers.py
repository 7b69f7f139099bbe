"""Tracers of others, as peers: each runs for the time of a block and ends with it, and with the bench in any case.

All are Debian's, unpacked and not installed (``bench.debian``). What they find is not read: they are there to cost.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.debian import program

ATTACH_SECONDS, SETTLED_SECONDS, END_SECONDS = 30.0, 0.5, 10.0
HOOKS = ("perf_event", "bpf_link", "bpf-link")
"""What the names of descriptors say of what is attached."""
# Some look for tracefs below debugfs: they get both in a mount namespace of their own.
MOUNTED = (
    "mount -t debugfs debugfs /sys/kernel/debug && "
    'mount -t tracefs tracefs /sys/kernel/debug/tracing && exec "$0" "$@"'
)
ALONE = ("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "sh", "-c", MOUNTED)


class Tracer(NamedTuple):
    """A program of a bundle of Debian packages, and what it is told to watch."""

    name: str
    bundle: str
    program: str
    arguments: tuple[str, ...]

    def command(self) -> tuple[str, ...] | None:
        """How it is run; None where it cannot be had."""
        path = program(self.bundle, self.program)
        return None if path is None else (str(path), *self.arguments)


def bpftrace(probes: str) -> Tracer:
    """A script of bpftrace."""
    return Tracer("bpftrace", "bpftrace", "bpftrace", ("-B", "line", "-e", probes))


def perf_stat(event: str) -> Tracer:
    """A count of an event by perf, in the kernel and on all CPUs, without a program."""
    return Tracer("perf stat", "perf", "perf", ("stat", "-a", "-e", event))


def syscount(*arguments: str) -> Tracer:
    """The tool of libbpf that counts all system calls."""
    return Tracer("syscount", "libbpf-tools", "syscount", arguments)


@contextmanager
def running(command: Sequence[str | Path], *, seconds: float = ATTACH_SECONDS) -> Iterator[None]:
    """Let a tracer run, attached; RuntimeError where it does not attach within ``seconds``."""
    quiet = subprocess.DEVNULL
    with subprocess.Popen([*ALONE, *command], stdin=quiet, stdout=quiet, stderr=quiet) as process:
        try:
            if not _attached(process, seconds):
                raise RuntimeError(f"{Path(command[0]).name} did not attach")
            yield
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:  # on a busy machine it misses the signal at times
                process.kill()


def _attached(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Waits until it has attached something, and for a while nothing more."""
    now = begun = since = time.monotonic()
    held = 0
    while now < begun + seconds and process.poll() is None:
        found = _hooks(process.pid)
        if found != held:
            held, since = found, now
        elif held and now > since + SETTLED_SECONDS:
            return True
        time.sleep(0.02)
        now = time.monotonic()
    return False


def _hooks(pid: int) -> int:
    """How many hooks a process holds."""
    count, folder = 0, f"/proc/{pid}/fd"
    try:
        for name in os.listdir(folder):
            count += any(word in os.readlink(f"{folder}/{name}") for word in HOOKS)
    except OSError:  # it ends, or closed one meanwhile
        return 0
    return count
