"""The process table: who did it, for every event, from the lifecycle records of the kernel.

Lives in the process that drains, in one thread. It answers for a pid at a time with the image that
ran then: the right one although the process has ended since or its pid is another's by now. Pure:
it reads no clock, no /proc and no socket.

The caller drains the lifecycle ring to at least a batch's newest time before it resolves the batch,
and sweeps, with a row for every process that lives, at the start and after records were lost.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import repeat
from typing import Any

from skep.node.cohorts import Columns
from skep.node.flood import Flood
from skep.node.fragments import Fragments, Names
from skep.node.image_store import Bounds, Counts, ImageStore
from skep.node.images import NO_LINEAGE, Image, Lineage, Row, at, called, first_of, of_process

LIFECYCLE = ("fork", "exec", "exit")


class ProcessTable:
    """The processes of this machine.

    ``first_ref`` begins the refs: a successor in one agent's life begins higher. ``place`` maps
    (pid, cgroup id) to the id that describes the cgroup, where that is not the kernel's own.
    """

    def __init__(
        self,
        names: Names,
        bounds: Bounds | None = None,
        *,
        first_ref: int = 1,
        place: Callable[[int, int], int] | None = None,
    ) -> None:
        bounds = bounds or Bounds()
        self._fragments = Fragments(names, bounds.ancestors, first_ref)
        self._store = ImageStore(bounds, place)
        self._flood = Flood(self._store, self._fragments)

    def __len__(self) -> int:
        """Images that are kept, and processes that are remembered without."""
        return len(self._store)

    @property
    def counts(self) -> Counts:
        """What had to be made up."""
        return self._store.counts

    @property
    def crowded(self) -> bool:
        """Whether more processes seem to live than the bound: exits were lost, a sweep is due."""
        return self._store.crowded

    def place_by(self, place: Callable[[int, int], int] | None) -> None:
        """From now on, see the class; None where every cgroup is described by its own id."""
        self._store.placed = place

    # What the kernel tells of processes.

    def apply(self, batch: Mapping[str, Columns]) -> dict[str, list[int]]:
        """Take in records by kind (fork, exec, exit) in the order of (time, seq).

        Gives the ref of each row by kind: of a fork the new process, of an exec the image that
        begins, of an exit the one that ends. Other kinds in ``batch`` are passed over.
        """
        told = {kind: batch[kind] for kind in LIFECYCLE if kind in batch}
        refs = {kind: [0] * len(columns["time"]) for kind, columns in told.items()}
        taken = self._flood.take(told, refs)
        events = _events(told, taken.left)
        if events:
            self._recall(events)
            steps = {"fork": self._fork, "exec": self._exec, "exit": self._exit}
            who = self._fragments.who
            for moment, _, kind, index, row in events:
                refs[kind][index] = who(steps[kind](moment, row)).ref
        if events or taken.newest:
            self._store.forget(max(taken.newest, events[-1][0] if events else 0))
        return refs

    def _recall(self, events: Iterable[tuple[int, int, str, int, Row]]) -> None:
        """Have images of all whom records are about, as they are told of one by one."""
        if self._store.remembers:
            for pid in {pid for *_, row in events for pid in (row.pid, row.ppid)}:
                self._store.recall(pid)

    def _fork(self, time: int, row: Row) -> Image:
        store = self._store
        head = store.heads.get(row.pid)
        if head is not None:
            known = of_process(head, row.start)
            if known is not None:
                return self._late_fork(known, row)
            store.replace(head, row.start)
        parent = at(store.heads.get(row.ppid), time)
        if parent is None:
            return store.add(row, row.start, store.place(row.pid, row.cgroup), NO_LINEAGE)
        same = parent.cgroup == row.cgroup
        place = parent.place if same else store.place(row.pid, row.cgroup)
        return store.add(row, row.start, place, parent.heirs or self._fragments.heirs(parent))

    def _late_fork(self, known: Image, row: Row) -> Image:
        """The fork of a process that was met before: its first image may lack."""
        first = first_of(known)
        if first.since <= row.start:
            return self._store.variant(first, row.uid, row.cgroup)
        return self._store.add(row, row.start, first.place, first.lineage)

    def _exec(self, time: int, row: Row) -> Image:
        store = self._store
        head = store.heads.get(row.pid)
        known = head if head is None or head.start == row.start else of_process(head, row.start)
        lineage = self._adopt(head, row, time) if known is None else known.lineage
        image = store.add(row, time, store.place(row.pid, row.cgroup), lineage)
        if known is not None and known.ended:
            image.ended = known.ended
        return image

    def _exit(self, time: int, row: Row) -> Image:
        store = self._store
        head = store.heads.get(row.pid)
        known = head if head is None or head.start == row.start else of_process(head, row.start)
        if known is None:
            lineage = self._adopt(head, row, time)
            known = store.add(row, row.start, store.place(row.pid, row.cgroup), lineage)
        store.end(known, time)
        image = at(known, time) or known
        return store.variant(image, row.uid, row.cgroup, ppid=row.ppid, comm=row.comm)

    def _adopt(self, head: Image | None, row: Row, time: int) -> Lineage:
        """The lineage of a process whose fork was not seen; whoever had its pid has ended."""
        self._store.counts.adopted += 1
        if head is not None:
            self._store.replace(head, row.start)
        return self._lineage(row, time)

    def _lineage(self, row: Row, time: int) -> Lineage:
        parent = at(self._store.recall(row.ppid), time)
        return NO_LINEAGE if parent is None else self._fragments.heirs(parent)

    # Who lives: at the start, and after losses.

    def seed(self, rows: Iterable[Row], now: int) -> None:
        """Add processes that live at ``now``; of one that is known only ancestors are taken."""
        waiting = {row.pid: row for row in rows}
        while waiting:
            path = [waiting.pop(next(iter(waiting)))]
            while (parent := waiting.pop(path[-1].ppid, None)) is not None:
                path.append(parent)
            for row in reversed(path):
                self._seed(row, now)

    def _seed(self, row: Row, now: int) -> None:
        store = self._store
        head = store.recall(row.pid)
        known = of_process(head, row.start)
        if known is not None:
            if not known.lineage.pieces:
                known.lineage, known.heirs, known.who = self._lineage(row, now), None, None
            return
        if head is not None:
            if head.since > row.start:
                return
            store.replace(head, row.start)
        lineage = self._lineage(row, now)
        store.add(row, row.start, store.place(row.pid, row.cgroup), lineage)

    def sweep(self, rows: Iterable[Row], now: int) -> None:
        """Seed, and end every process that had begun by ``now`` and has no row.

        ``now`` is the boot time before the rows were read; records up to it have been applied.
        """
        alive = {row.pid: row for row in rows}
        self.seed(alive.values(), now)
        for pid, head in self._store.heads.items():
            row = alive.get(pid)
            if head.ended or head.since >= now or pid == 0:
                continue
            if row is None or of_process(head, row.start) is None:
                self.counts.swept += 1
                self._store.end(head, now)
        self._store.forget(now)

    # Who did it.

    def resolve(self, columns: Columns) -> list[int]:
        """The ref of each row's ``pid`` at ``time``; ``uid``, ``cgroup`` and ``comm`` are the event's.

        A process that changed user, cgroup or name without an exec is told apart by them; one that was
        never met is made up from them. A ``cgroup`` of 0 (there is none) says that the event knows
        nothing but the pid.
        """
        store, heads, named = self._store, self._store.heads, self._fragments.who
        refs = []
        names = ("pid", "time", "uid", "cgroup", "comm")
        rows = zip(*(_values(columns[name]) for name in names), strict=True)
        for pid, time, uid, cgroup, comm in rows:
            image = heads.get(pid) or store.recall(pid)
            while image is not None and image.since > time:
                image = image.older
            if image is None:
                image = store.stranger(pid, uid, cgroup, comm)
            elif (image.comm != comm or image.uid != uid or image.cgroup != cgroup) and cgroup:
                image = store.variant(image, uid, cgroup, comm=comm)
            refs.append(named(image).ref)
        return refs

    def resolve_ends(self, columns: Columns, begun: Any) -> list[int]:  # noqa: ANN401 - a column
        """As ``resolve``, of what belonged to a process since ``begun`` (ns) or a little later.

        Who has its pid at the end may be another: one that began after, and was never called so. Where
        it is the same, and runs another program by now, it is called as that.
        """
        store = self._store
        given = {name: _values(columns[name]) for name in ("pid", "uid", "cgroup")}
        time, comms = list(_values(columns["time"])), list(_values(columns["comm"]))
        rows = zip(given["pid"], tuple(comms), _values(begun), strict=True)
        for index, (pid, comm, since) in enumerate(rows):
            image = at(store.heads.get(pid) or store.recall(pid), time[index])
            if image is None:
                continue
            if called(image, comm):
                comms[index] = image.comm
            elif image.start > since:
                time[index] = since
        return self.resolve({**given, "time": time, "comm": comms})

    def describe(self, ref: int) -> bytes:
        """The JSON fragment of ``ref``; KeyError where it was retired or never given."""
        return self._fragments.describe(ref)

    def definitions(self) -> list[tuple[int, bytes]]:
        """Refs that were given for the first time since the last call, with their fragments."""
        return [(who.ref, who.text) for who in self._fragments.fresh()]

    def retired(self) -> list[int]:
        """Refs that were given and will not be given again, since the last call."""
        return self._fragments.retired()


def _events(
    told: Mapping[str, Columns], left: Mapping[str, Any]
) -> list[tuple[int, int, str, int, Row]]:
    """Records in the order of (time, seq): those, with their numbers; kind by kind ``left``, where it is there."""
    events: list[tuple[int, int, str, int, Row]] = []
    for kind, columns in told.items():
        rows = left.get(kind)
        names = ("time", "seq", *Row._fields)
        chosen = [columns[n] if rows is None else columns[n][rows] for n in names]
        time, seq, *values = map(_values, chosen)
        indices = range(len(time)) if rows is None else rows.tolist()
        events += zip(time, seq, repeat(kind), indices, map(Row, *values), strict=False)
    events.sort()
    return events


def _values(column: Any) -> list[Any]:  # noqa: ANN401 - a numpy array or a list
    values: list[Any] = column.tolist() if hasattr(column, "tolist") else column
    return values
