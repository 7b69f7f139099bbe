"""Work for a node to watch, as a process of its own: ``python -m bench._generate WHAT SECONDS CPU RATE [PROGRAM]``.

``exec`` runs PROGRAM (a static busybox, as its ``true``) again and again, ``tiny`` the smallest program that there can
be, both as fast as it goes where RATE is 0; ``connect`` opens, accepts and closes TCP connections on loopback at RATE a
second. At the end a line of JSON tells what was done.
"""

import contextlib
import json
import os
import shutil
import socket
import struct
import sys
import tempfile
import time
from pathlib import Path

LOAD = 0x400000
CODE = bytes.fromhex("31ff b83c000000 0f05")  # exit(0)
NAME = "skep-load"


def static_program() -> bytes:
    """An ELF file of 64 bits whose only segment ends the process at once."""
    size = 64 + 56 + len(CODE)
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, LOAD + 120, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, LOAD, LOAD, size, size, 0x1000)
    return head + segment + CODE


def run_busybox(seconds: float, rate: float, program: str) -> int:
    """posix_spawn of a copy of ``program`` that bears our name; how many ran to their end."""
    with tempfile.TemporaryDirectory(prefix="skep-bench-") as folder:
        path = Path(folder) / NAME
        shutil.copy(program, path)
        return _spawn(path, ["true"], seconds, rate)


def run_tiny(seconds: float, rate: float, _: str) -> int:
    """The same of a program that does nothing but to end."""
    with tempfile.TemporaryDirectory(prefix="skep-bench-") as folder:
        path = Path(folder) / NAME
        path.write_bytes(static_program())
        path.chmod(0o700)
        return _spawn(path, [NAME], seconds, rate)


def _spawn(path: Path, words: list[str], seconds: float, rate: float) -> int:
    done, start = 0, time.monotonic()
    end = start + seconds
    while (now := time.monotonic()) < end:
        if rate and done >= (now - start) * rate:
            time.sleep(0.001)
            continue
        os.waitpid(os.posix_spawn(path, words, {}), 0)
        done += 1
    return done


def connect(seconds: float, rate: float, _: str) -> int:
    """TCP connections over loopback, opened and accepted by this process; how many."""
    done, start = 0, time.monotonic()
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        address, end = server.getsockname(), start + seconds
        while (now := time.monotonic()) < end:
            if rate and done >= (now - start) * rate:
                time.sleep(0.0005)
                continue
            with socket.socket() as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.connect(address)
                accepted, _ = server.accept()
                accepted.close()
            done += 1
    return done


WORK = {"exec": run_busybox, "tiny": run_tiny, "connect": connect}


def main(kind: str, seconds: str, cpu: str, rate: str, program: str = "") -> None:
    """Run and tell."""
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, {int(cpu)})
    done = WORK[kind](float(seconds), float(rate), program)
    print(json.dumps({"kind": kind, "done": done, "pid": os.getpid()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
