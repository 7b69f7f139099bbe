"""Doing something in another network namespace without leaving one's own.

A namespace belongs to a thread, so the work runs in a thread that enters it and ends there; the
calling thread never moves.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from skep.base.errors import BadInput
from skep.kernel.bpf import DOOR, NEW_NETWORK, Door
from skep.kernel.refusal import refused

T = TypeVar("T")
_FILES = "/run/netns/NAME or /proc/PID/ns/net"


def inside(netns: str, work: Callable[[], T], *, door: Door = DOOR) -> T:
    """What ``work`` gives in the network namespace of file ``netns``, "" for our own.

    ``/run/netns/NAME`` and ``/proc/PID/ns/net`` are such files. What ``work`` raises is raised here.
    """
    if not netns:
        return work()
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            _enter(netns, door)
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - it is raised again in the caller's thread
            errors.append(error)

    thread = threading.Thread(target=run, name="netns", daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


@contextmanager
def opened(netns: str) -> Iterator[int]:
    """The descriptor of a namespace's file. BadInput where there is none."""
    try:
        fd = os.open(netns, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        problem = f"{netns} cannot be opened ({error.strerror})"
        raise BadInput("netns", problem, f"give a file such as {_FILES}") from error
    try:
        yield fd
    finally:
        os.close(fd)


def _enter(netns: str, door: Door) -> None:
    with opened(netns) as fd, refused("setns", netns, needs=("CAP_NET_ADMIN",), door=door):
        door.enter(fd, NEW_NETWORK)
