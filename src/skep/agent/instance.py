"""An instance: the run directory of one agent, the lock that makes it the only one, and the record of what it owns.

`claim` takes the lock and clears what a killed agent left; `release` gives everything back. The lock is an flock, so
that the kernel drops it with the process, however that ends. What is pinned or attached is the caller's; only its
record is kept here. `holder` and `leftovers` serve faces, which never take the lock.
"""

import errno
import fcntl
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import Self

from skep.agent import files, processes
from skep.agent.processes import Identity
from skep.base.clock import rfc3339, wall_offset_ns
from skep.base.errors import Conflict, SkepError
from skep.base.frozen import frozen
from skep.base.paths import DEFAULT_INSTANCE, Paths, make_private


@frozen
class Owned:
    """What an agent holds: itself, its children, kernel objects by id and name, and paths of pins."""

    agent: Identity
    children: tuple[Identity, ...] = ()
    programs: tuple[tuple[int, str], ...] = ()
    maps: tuple[tuple[int, str], ...] = ()
    links: tuple[tuple[int, str], ...] = ()
    pins: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        """One JSON object, for ``owned.json``."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """The inverse of ``to_json``; keys of a newer release are ignored. Raises ValueError."""
        record = json.loads(data)
        try:
            return cls(
                Identity(**record["agent"]),
                children=tuple(Identity(**child) for child in record["children"]),
                programs=_named(record["programs"]),
                maps=_named(record["maps"]),
                links=_named(record["links"]),
                pins=tuple(str(pin) for pin in record["pins"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a record of what an agent owns: {error}") from error


@frozen
class Cleared:
    """What a clean-up took away, by kind: names or paths."""

    processes: tuple[int, ...] = ()
    pins: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.processes or self.pins or self.files)


@dataclass(slots=True)
class Instance:
    """A claimed instance; a context manager that releases it."""

    paths: Paths
    lock: int
    cleared: Cleared = field(default_factory=Cleared)

    @classmethod
    def claim(cls, paths: Paths) -> Self:
        """Become the agent of ``paths``; raises Conflict that names the pid of the one that runs.

        What is raised meanwhile, by a signal to end too, leaves no lock and no directory without one.
        """
        lock = -1
        try:
            with _undisturbed():
                with files.translating(f"make {paths.run}"):
                    make_private(paths.run)
                lock = _take_lock(paths)
            cleared = clear(paths)
            _sign_lock(paths, lock)
        except BaseException:
            if lock >= 0:
                forget(paths)
                os.close(lock)
            raise
        return cls(paths, lock, cleared)

    def record(self, owned: Owned) -> None:
        """Replace the record of what this agent owns; on an error the old record stays."""
        files.replace(self.paths.owned, owned.to_json())

    def release(self) -> None:
        """Remove the run directory and give up the lock; a second call does nothing."""
        if self.lock < 0:
            return
        for path in (self.paths.agent_socket, self.paths.owned):
            files.remove(path)
        forget(self.paths)
        os.close(self.lock)
        self.lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _named(rows: list[list[object]]) -> tuple[tuple[int, str], ...]:
    return tuple((int(str(number)), str(name)) for number, name in rows)


def holder(paths: Paths) -> Identity | None:
    """The agent that holds the instance now, None where none runs."""
    signed = files.read(paths.lock)
    words = (signed or b"").split()
    if len(words) != 2 or not all(word.isdigit() for word in words):
        return None
    found = Identity(int(words[0]), int(words[1]))
    return found if found.alive() else None


def leftovers(paths: Paths) -> Owned | None:
    """The record of the agent that runs or ran last, None where there is none or it cannot be read."""
    data = files.read(paths.owned)
    try:
        return Owned.from_json(data) if data is not None else None
    except ValueError:
        return None


def clear(paths: Paths) -> Cleared:
    """Take away what an agent that is dead left behind: its children, its pins, its files.

    Programs, maps and links need nothing: the kernel let go of them when the last process with a descriptor ended.
    """
    owned = leftovers(paths)
    children = (
        tuple(child.pid for child in owned.children if processes.kill(child)) if owned else ()
    )
    pins = tuple(pin for pin in owned.pins if _unpin(paths, pin)) if owned else ()
    left = (paths.agent_socket, paths.owned, files.fresh(paths.owned))
    gone = tuple(path for path in left if files.remove(path))
    return Cleared(children, pins, gone)


def forget(paths: Paths) -> None:
    """Remove the run directory of an agent that is dead, after ``clear``."""
    files.remove(paths.lock)
    for directory in (paths.run, paths.pins):
        with suppress(OSError):
            os.rmdir(directory)


def _unpin(paths: Paths, pin: str) -> bool:
    inside = os.path.normpath(pin).startswith(paths.pins.rstrip("/") + "/")
    return inside and files.remove(pin)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Signals to end wait until the block is left."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _take_lock(paths: Paths) -> int:
    path = paths.lock
    while True:
        with files.translating(f"lock {path}"):
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            fd = os.open(path, flags, files.PRIVATE_FILE)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _same_file(fd, path):
                    return fd
            except OSError as error:
                os.close(fd)
                if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                    raise _conflict(paths) from error
                raise
        os.close(fd)


def _same_file(fd: int, path: str) -> bool:
    try:
        there = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return there.st_ino == os.fstat(fd).st_ino


def _conflict(paths: Paths) -> SkepError:
    agent = holder(paths)
    who = "an agent that is starting"
    if agent is not None:
        since = rfc3339(agent.started_ns + wall_offset_ns())[:19]
        who = f"pid {agent.pid} ({processes.comm(agent.pid)}) since {since}Z"
    option = "" if paths.instance == DEFAULT_INSTANCE else f" --instance {paths.instance}"
    instead = (
        f"`skep events -f{option}` shows what it sees, `skep down{option}` ends it, "
        "--instance NAME runs another beside it"
    )
    return Conflict(f"instance {paths.instance!r}", who, instead)


def _sign_lock(paths: Paths, fd: int) -> None:
    me = processes.identity(os.getpid())
    with files.translating(f"write {paths.lock}"):
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{me.pid} {me.start}\n".encode(), 0)
