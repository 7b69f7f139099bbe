"""The images that a process table keeps, by pid, as chains; how they come, end and go.

Bounds: ended processes are kept for a grace in time and number, so that events that are judged
late still find them. Beyond the bound of live ones ``crowded`` asks for a sweep; an eighth beyond
it, the processes that were met first are forgotten. Cohorts (processes that lived within one batch)
are remembered by pid as they are, in two generations; one of whom more is told is recalled as images.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from skep.base.clock import SECOND
from skep.base.frozen import frozen
from skep.node.cohorts import Cohort
from skep.node.images import NO_LINEAGE, Image, Lineage, Row, chain, cut, insert

_K = TypeVar("_K")
_STRANGERS = 4_096
_VARIANTS = 64


@frozen
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
    """Images by pid (``heads``: the newest of each chain).

    ``placed`` maps (pid, cgroup id) to the id that describes the cgroup; None: the kernel's own.
    """

    def __init__(self, bounds: Bounds, placed: Callable[[int, int], int] | None) -> None:
        self.heads: dict[int, Image] = {}
        self.counts = Counts()
        self.placed = placed
        self._bounds, self._images = bounds, 0
        self._ended: deque[Image] = deque()
        self._strangers: dict[tuple[int, int, int, bytes], Image] = {}
        self._young: dict[int, Cohort] = {}
        self._old: dict[int, Cohort] = {}
        self._turned = 0

    def __len__(self) -> int:
        """Images, and processes that are remembered without."""
        return self._images + len(self._young) + len(self._old)

    @property
    def crowded(self) -> bool:
        """Whether more processes seem to live than the bound."""
        return len(self.heads) - len(self._ended) > self._bounds.alive

    def place(self, pid: int, cgroup: int) -> int:
        """The id that describes the cgroup of ``pid``."""
        return cgroup if self.placed is None else self.placed(pid, cgroup)

    def add(self, row: Row, since: int, place: int, lineage: Lineage) -> Image:
        """A new image from ``since`` on, at its place in the chain of its pid."""
        image = self._make(row, since, place, lineage)
        self.heads[row.pid] = insert(self.heads.get(row.pid), image)
        return image

    def variant(
        self,
        image: Image,
        uid: int,
        cgroup: int,
        *,
        ppid: int | None = None,
        comm: bytes | None = None,
    ) -> Image:
        """``image`` under another user, cgroup, parent or name (None: its own); itself where all are its own."""
        ppid = image.ppid if ppid is None else ppid
        comm = image.comm if comm is None else comm
        if (image.uid, image.cgroup, image.ppid, image.comm) == (uid, cgroup, ppid, comm):
            return image
        if image.variants is None:
            image.variants = {}
        key = uid, cgroup, ppid, comm
        known = image.variants.get(key)
        if known is not None:
            return known
        self._make_room(image.variants, _VARIANTS)
        place = image.place if cgroup == image.cgroup else self.place(image.pid, cgroup)
        row = Row(image.pid, ppid, uid, cgroup, image.start, comm)
        made = image.variants[key] = self._make(row, image.since, place, image.lineage)
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

    def knows(self, pid: int) -> bool:
        """Whether there is a process of ``pid``, or was one a while ago."""
        return pid in self.heads or pid in self._young or pid in self._old

    @property
    def remembers(self) -> bool:
        """Whether there is anything to be recalled."""
        return bool(self._young or self._old)

    def remember(self, cohort: Cohort) -> None:
        """Keep processes that have ended already, of whom nothing is known; see ``knows``."""
        self._young.update(dict.fromkeys(cohort.rows.pids.tolist(), cohort))

    def recall(self, pid: int) -> Image | None:
        """The newest image of ``pid``, also where its cohort was remembered: then as images from now on."""
        cohort = self._young.pop(pid, None) or self._old.pop(pid, None)
        if cohort is not None:
            life = cohort.life(pid)
            for since, row in life.images:
                self.add(row, since, row.cgroup, life.lineage)
            self.end(self.heads[pid], life.ended)
        return self.heads.get(pid)

    def forget(self, now: int) -> None:
        """Hold the bounds, as of boot time ``now``."""
        self._turn(now)
        ended, bounds = self._ended, self._bounds
        horizon = now - bounds.grace
        while ended and (len(ended) > bounds.ended or ended[0].ended < horizon):
            self._remove(ended.popleft())
        if len(self.heads) > bounds.alive + bounds.ended + bounds.alive // 8:
            for pid in list(islice(self.heads, bounds.alive // 8)):
                self.counts.forgotten += 1
                self._drop(self.heads.pop(pid))

    def _turn(self, now: int) -> None:
        """Begin another generation of what is remembered; the last but one goes."""
        if not self.remembers:
            self._turned = now
        full = len(self._young) >= self._bounds.ended // 2
        if full or now - self._turned > self._bounds.grace:
            self._old, self._young, self._turned = self._young, {}, now

    def _make(self, row: Row, since: int, place: int, lineage: Lineage) -> Image:
        pid, ppid, uid, cgroup, start, comm = row
        self._images += 1
        return Image(pid, ppid, uid, cgroup, place, start, since, comm, lineage)

    def _make_room(self, images: dict[_K, Image], most: int) -> None:
        if len(images) >= most:
            del images[next(iter(images))]
            self._images -= 1

    def _remove(self, image: Image) -> None:
        head = self.heads.get(image.pid)
        if head is None:
            return
        stays, gone = cut(head, image.start)
        if stays is None:
            del self.heads[image.pid]
        self._drop(gone)

    def _drop(self, image: Image | None) -> None:
        self._images -= sum(1 for _ in chain(image))
