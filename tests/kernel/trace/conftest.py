"""What tests of memory share: a cgroup with a small limit, and a process that wants more."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from skep.testing import cgroups

LIMIT = 24 << 20
GREEDY = "x = []\nwhile True: x.append(b'x' * (1 << 20))"


@pytest.fixture
def memory() -> Iterator[Path]:
    """A memory cgroup with a small limit, of version 1 or 2."""
    name = f"skep-test-oom-{os.getpid()}"
    first, second = version_1(), Path(cgroups.root())
    if first is not None:
        made, limit = first / name, "memory.limit_in_bytes"
    else:
        if "memory" not in (second / "cgroup.controllers").read_text().split():
            pytest.skip("the kernel limits no memory of cgroups (CONFIG_MEMCG)")
        (second / "cgroup.subtree_control").write_text("+memory")
        made, limit = second / name, "memory.max"
    made.mkdir()
    (made / limit).write_text(str(LIMIT))
    with suppress(OSError):
        (made / "memory.swap.max").write_text("0")
    yield made
    deadline = time.monotonic() + 60
    while made.exists() and time.monotonic() < deadline:
        with suppress(OSError):
            made.rmdir()


def version_1() -> Path | None:
    """Where version 1 limits memory; None where it does not."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, options, *_ = line.split()
        if kind == "cgroup" and "memory" in options.split(","):
            return Path(place)
    return None


def starve(memory: Path) -> "subprocess.Popen[bytes]":
    """A process in that cgroup that takes memory until it is killed."""
    enter = f"echo $$ >{memory}/cgroup.procs && exec {sys.executable} -I -S -c {GREEDY!r}"
    return subprocess.Popen(["sh", "-c", enter.replace("\\n", "\n")])
