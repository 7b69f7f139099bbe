"""Processes whose stacks are known: what they run, how they are begun and ended, and stacks of them."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from examples.large.unwinder.state import End
from examples.large.unwinder.unwinder import Sampled, Unwinder

SAMPLES = 25
SECONDS = 60

HEAD = """
import ctypes, hashlib, os, sys
libc = ctypes.CDLL(None)
COMPARE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
PAIR = (ctypes.c_int * 2)()
def sorted_by(function):
    libc.qsort(PAIR, ctypes.c_size_t(2), ctypes.c_size_t(4), function)
def ready():
    print(flush=True)
    return True
"""
NESTED = """
def deep(left):
    if left:
        function = COMPARE(lambda a, b: deep(left - 1))
        sorted_by(function)
    elif ready():
        while True:
            sum(range(1000))
    return 0
deep(int(sys.argv[1]))
"""
"""Sorts, within whose comparison there is a sort, and so on: as many as the first argument says."""
HASHES = """
def deep(left):
    if left:
        return max([left], key=lambda one: deep(left - 1))
    ready()
    while True:
        hashlib.sha256(DATA).digest()
DATA = bytes(1 << 26)
deep(5)
"""
"""A hash of 64 MiB after the other, with some calls around it."""
READS = """
zero, room = os.open("/dev/zero", os.O_RDONLY), bytearray(1 << 22)
ready()
while True:
    os.readv(zero, [room])
"""
"""Most of its time is spent within the kernel."""
HANDLES = """
def handles(number, _=None):
    ready()
    while True:
        sum(range(1000))
HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_int)(handles)
libc.signal(10, HANDLER)
libc.raise_ = libc["raise"]
libc.raise_(10)
"""
"""Stays in the handler of a signal, that came within a call of libc's."""
WORKS = """
import json, re, zlib
def works(left):
    if left:
        return works(left - 1) + 1
    text = json.dumps({str(n): [n, str(n)] for n in range(300)})
    found = re.findall(r"[0-9]+", text)
    return len(zlib.compress(text.encode())) + len(sorted(found)) + len(hashlib.sha256(text.encode()).hexdigest())
ready()
while True:
    works(10)
"""
"""Python as it comes: text, compression, sorts and hashes, under some calls."""
LATER = """
DATA = bytes(1 << 26)
ready()
sys.stdin.readline()
import zlib
ready()
while True:
    zlib.crc32(DATA)
"""
"""Loads a library when it is told to, and stays in it."""
WAITS = """
ready()
sys.stdin.readline()
"""
LOADS = "import zlib" + WAITS
"""Waits with a library more."""


def running(script: str, *arguments: str) -> AbstractContextManager[subprocess.Popen[str]]:
    """A process that runs a script, and has said that it is ready."""
    return begun(sys.executable, "-c", HEAD + script, *arguments)


@contextmanager
def begun(*command: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has said that it is ready."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as child:
        try:
            told(child)
            yield child
        finally:
            child.kill()


def told(child: subprocess.Popen[str]) -> None:
    """Wait until it says that it is ready."""
    assert child.stdout is not None
    assert child.stdout.readline() == "\n"


def tell(child: subprocess.Popen[str]) -> None:
    """Let it go on: until then it takes no processor from who makes its tables."""
    assert child.stdin is not None
    child.stdin.write("\n")
    child.stdin.flush()


def gathered(
    unwinder: Unwinder, pid: int, enough: Callable[[list[Sampled]], bool]
) -> list[Sampled]:
    """Stacks of a process, until there are enough."""
    found: list[Sampled] = []
    deadline = time.monotonic() + SECONDS
    while not enough(found):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
        found += [one for one in unwinder.take() if one.pid == pid]
    return found


def total(stacks: list[Sampled], end: End | None = None) -> int:
    """How many samples there were."""
    return sum(one.count for one in stacks if end is None or one.end == end)


def sampled(unwinder: Unwinder, pid: int, *, count: int = SAMPLES) -> list[Sampled]:
    """Stacks of a process, as many as are wanted; then it is watched no longer."""
    unwinder.watch(pid)
    found = gathered(unwinder, pid, lambda stacks: total(stacks) >= count)
    unwinder.forget(pid)
    return found
