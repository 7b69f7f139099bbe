"""An image: one process between two of its execs. An event names it: exec changes who one is.

The images of a pid form a chain, newest first, through exec and through reuse of the pid. The table
(``processes``) makes, finds and drops them; here is what one is, and how a chain is walked and cut.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from skep.base.frozen import distinct

TICK = 10_000_000
"""Nanoseconds of a clock tick, in which /proc gives the start of a process; programs give ns."""


@distinct
class Lineage:
    """Ancestors, nearest first, as pieces of JSON and joined for a fragment; siblings share it.

    One is equal to itself alone: as part of a key it costs nothing.
    """

    pieces: tuple[bytes, ...] = ()
    text: bytes = b""


NO_LINEAGE = Lineage()


@dataclass(slots=True, eq=False)
class Who:
    """A fragment and the number that events name it by; ``over`` when that was given back."""

    ref: int
    text: bytes
    over: bool = False


class Row(NamedTuple):
    """What an iterator program, /proc or a record tells of a process; ``start`` in boot ns."""

    pid: int
    ppid: int
    uid: int
    cgroup: int
    start: int
    comm: bytes


@dataclass(slots=True, eq=False)
class Image:
    """A process from ``since`` on (boot ns), until a newer image of its pid begins.

    ``start`` is the process's start in boot ns, a whole tick where it came from /proc. ``cgroup``
    is the kernel's id; ``place`` is the id under which its cgroup is described. ``ended`` is 0
    while it lives. ``lineage`` is its ancestors', ``heirs`` what its children get, made when the
    first needs it, ``who`` what events say of it, made for the first of them. ``variants`` are the
    same image under another (uid, cgroup, ppid, comm).
    """

    pid: int
    ppid: int
    uid: int
    cgroup: int
    place: int
    start: int
    since: int
    comm: bytes
    lineage: Lineage = NO_LINEAGE
    older: "Image | None" = None
    ended: int = 0
    who: Who | None = None
    heirs: Lineage | None = None
    variants: "dict[tuple[int, int, int, bytes], Image] | None" = field(default=None, repr=False)


def same_start(one: int, other: int) -> bool:
    """Whether two starts of one pid are one process; either may be rounded down to a tick."""
    if one == other:
        return True
    return (one % TICK == 0 or other % TICK == 0) and one // TICK == other // TICK


def at(image: Image | None, time: int) -> Image | None:
    """The image of a chain at ``time``, None before the first."""
    while image is not None and image.since > time:
        image = image.older
    return image


def of_process(image: Image | None, start: int) -> Image | None:
    """The newest image in a chain of the process that began at ``start``."""
    while image is not None and not same_start(image.start, start):
        image = image.older
    return image


def called(image: Image, comm: bytes) -> bool:
    """Whether its process had a name, in ``image`` or before."""
    each: Image | None = image
    while each is not None and same_start(each.start, image.start):
        if each.comm == comm:
            return True
        each = each.older
    return False


def first_of(image: Image) -> Image:
    """The oldest image of the same process."""
    while image.older is not None and same_start(image.older.start, image.start):
        image = image.older
    return image


def insert(head: Image | None, new: Image) -> Image:
    """The chain with ``new`` where its time belongs; gives its head."""
    if head is None or head.since <= new.since:
        new.older = head
        return new
    newer = head
    while newer.older is not None and newer.older.since > new.since:
        newer = newer.older
    new.older, newer.older = newer.older, new
    return head


def cut(head: Image, start: int) -> tuple[Image | None, Image | None]:
    """What stays of a chain, and what goes, when the process of ``start`` and all before it go."""
    if same_start(head.start, start):
        return None, head
    newer = head
    while newer.older is not None and not same_start(newer.older.start, start):
        newer = newer.older
    gone, newer.older = newer.older, None
    return head, gone


def chain(image: Image | None) -> Iterator[Image]:
    """All images from ``image`` on down, each followed by its variants."""
    while image is not None:
        yield image
        if image.variants:
            yield from image.variants.values()
        image = image.older
