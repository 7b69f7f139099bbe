"""What a process of the agent is called: its name in top and in events, its command line in ps.

The command line is written over where the kernel laid it, in the process's own memory, as setproctitle(3bsd) does it;
never beyond it, for the environment follows. Where it cannot be, the process keeps the name that it has.
"""

from contextlib import suppress

ARG_START, ARG_END = 45, 46
"""Fields of /proc/self/stat behind the name (proc(5): 48 and 49)."""


def call(name: str, line: str) -> None:
    """Call this process ``name`` (15 bytes) and its command line ``line``, as far as there is room."""
    with suppress(OSError):
        with open("/proc/self/comm", "wb", buffering=0) as comm:
            comm.write(name.encode())
        start, end = _arguments()
        with open("/proc/self/mem", "r+b", buffering=0) as memory:
            memory.seek(start)
            memory.write(fitted(line.encode(), end - start))


def fitted(line: bytes, room: int) -> bytes:
    """``line`` in exactly ``room`` bytes. The last is NUL: else ps would read on in the environment."""
    return line[: max(0, room - 1)].ljust(room, b"\0")


def _arguments() -> tuple[int, int]:
    with open("/proc/self/stat", encoding="utf-8", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    return int(fields[ARG_START]), int(fields[ARG_END])
