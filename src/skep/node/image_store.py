"""The images that a process table keeps: by pid, as chains, and by ref; how they come, end and go.

Bounds: ended processes are kept for a grace in time and number, so that events that are judged
late still find them. Beyond the bound of live ones ``crowded`` asks for a sweep; an eighth beyond
it, the processes that were met first are forgotten.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from skep.node.images import (
    NO_LINEAGE,
    Image,
    Lineage,
    Row,
    chain,
    cut,
    insert,
)

_K = TypeVar("_K")
SECOND = 1_000_000_000
_STRANGERS = 4_096
_VARIANTS = 64


@dataclass(frozen=True, slots=True)
class Bounds:
    """Live and ended processes that are kept (these for ``grace`` ns); ancestors in a fragment."""

    alive: int = 32_768
    ended: int = 8_192
    grace: int = 5 * SECOND
    ancestors: int = 8


@dataclass(slots=True)
class Counts:
    """What had to be made up; each tells of lost records or a late start.

    ``adopted``: processes that were first met in an exec or exit. ``strangers``: in another event.
    ``replaced``: ended by the reuse of their pid, ``swept``: by a sweep; ``forgotten``: by a bound.
    """

    adopted: int = 0
    strangers: int = 0
    replaced: int = 0
    swept: int = 0
    forgotten: int = 0


class ImageStore:
    """Images by pid (``heads``: the newest of each chain) and by ref.

    ``first_ref`` begins the refs. ``placed`` maps (pid, cgroup id) to the id that describes the
    cgroup; None: the kernel's own.
    """

    def __init__(
        self, bounds: Bounds, first_ref: int, placed: Callable[[int, int], int] | None
    ) -> None:
        self.heads: dict[int, Image] = {}
        self.counts = Counts()
        self._bounds, self._next, self._placed = bounds, first_ref, placed
        self._images: dict[int, Image] = {}
        self._ended: deque[Image] = deque()
        self._strangers: dict[tuple[int, int, int, bytes], Image] = {}
        self._fresh: list[Image] = []
        self._retired: list[int] = []

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, ref: int) -> Image:
        return self._images[ref]

    @property
    def crowded(self) -> bool:
        """Whether more processes seem to live than the bound."""
        return len(self.heads) - len(self._ended) > self._bounds.alive

    def name(self, image: Image) -> int:
        """The ref of an image that an event names; its definition is due the first time."""
        if not image.named:
            image.named = True
            self._fresh.append(image)
        return image.ref

    def fresh(self) -> list[Image]:
        """Images that were named for the first time since the last call."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def retired(self) -> list[int]:
        """Refs of named images that were dropped since the last call."""
        retired, self._retired = self._retired, []
        return retired

    def place(self, pid: int, cgroup: int) -> int:
        """The id that describes the cgroup of ``pid``."""
        return cgroup if self._placed is None else self._placed(pid, cgroup)

    def add(self, row: Row, since: int, place: int, lineage: Lineage) -> Image:
        """A new image from ``since`` on, at its place in the chain of its pid."""
        image = self._make(row, since, place, lineage)
        self.heads[row.pid] = insert(self.heads.get(row.pid), image)
        return image

    def variant(self, image: Image, uid: int, cgroup: int) -> Image:
        """``image`` under another user or cgroup; itself where they are its own."""
        if image.uid == uid and image.cgroup == cgroup:
            return image
        if image.variants is None:
            image.variants = {}
        known = image.variants.get((uid, cgroup))
        if known is not None:
            return known
        self._make_room(image.variants, _VARIANTS)
        place = image.place if cgroup == image.cgroup else self.place(image.pid, cgroup)
        row = Row(image.pid, image.ppid, uid, cgroup, image.start, image.comm)
        made = image.variants[uid, cgroup] = self._make(row, image.since, place, image.lineage)
        return made

    def stranger(self, pid: int, uid: int, cgroup: int, comm: bytes) -> Image:
        """An image for an event whose process was never met, or was forgotten."""
        key = (pid, uid, cgroup, comm)
        known = self._strangers.get(key)
        if known is not None:
            return known
        self.counts.strangers += 1
        self._make_room(self._strangers, _STRANGERS)
        row = Row(pid, 0, uid, cgroup, 0, comm)
        made = self._strangers[key] = self._make(row, 0, self.place(pid, cgroup), NO_LINEAGE)
        return made

    def replace(self, head: Image, start: int) -> None:
        """A new process has the pid of ``head``, which has ended even if nobody said so."""
        if not head.ended:
            self.counts.replaced += 1
            self.end(head, start)

    def end(self, image: Image, time: int) -> None:
        """The process of ``image`` (its newest) ended."""
        if not image.ended:
            self._ended.append(image)
        image.ended = time

    def forget(self, now: int) -> None:
        """Hold the bounds, as of boot time ``now``."""
        ended, bounds = self._ended, self._bounds
        horizon = now - bounds.grace
        while ended and (len(ended) > bounds.ended or ended[0].ended < horizon):
            self._remove(ended.popleft())
        if len(self.heads) > bounds.alive + bounds.ended + bounds.alive // 8:
            for pid in list(islice(self.heads, bounds.alive // 8)):
                self.counts.forgotten += 1
                for image in chain(self.heads.pop(pid)):
                    self._drop(image)

    def _make(self, row: Row, since: int, place: int, lineage: Lineage) -> Image:
        pid, ppid, uid, cgroup, start, comm = row
        image = Image(self._next, pid, ppid, uid, cgroup, place, start, since, comm, lineage)
        self._images[image.ref] = image
        self._next += 1
        return image

    def _make_room(self, images: dict[_K, Image], most: int) -> None:
        if len(images) >= most:
            self._drop(images.pop(next(iter(images))))

    def _remove(self, image: Image) -> None:
        head = self.heads.get(image.pid)
        if head is None:
            return
        stays, gone = cut(head, image.start)
        if stays is None:
            del self.heads[image.pid]
        for each in chain(gone):
            self._drop(each)

    def _drop(self, image: Image) -> None:
        if self._images.pop(image.ref, None) is not None and image.named:
            self._retired.append(image.ref)
