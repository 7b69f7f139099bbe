"""bpftrace as a peer: a script that runs for the time of a block. Debian's, unpacked and not installed."""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ATTACH_SECONDS, END_SECONDS = 20.0, 10.0
# bpftrace looks for tracefs below debugfs: it gets both in a mount namespace of its own
MOUNTED = (
    "mount -t debugfs debugfs /sys/kernel/debug && "
    'mount -t tracefs tracefs /sys/kernel/debug/tracing && exec "$0" -B line -e "$1"'
)


@contextmanager
def running(path: Path, probes: str) -> Iterator[None]:
    """Let bpftrace run with the probes attached; RuntimeError where it does not attach them."""
    script = f'BEGIN {{ printf("ready\\n"); }} {probes}'
    command = ["unshare", "--mount", "sh", "-c", MOUNTED, str(path), script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + ATTACH_SECONDS
        try:
            while process.stdout and b"ready" not in (line := process.stdout.readline()):
                if not line or time.monotonic() > deadline:
                    raise RuntimeError("bpftrace did not attach")
            time.sleep(0.3)  # BEGIN runs just before the probes are attached
            yield
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:  # on a busy machine it misses the signal at times
                process.kill()
