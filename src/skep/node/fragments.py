"""The JSON that says who did it: a fragment without braces, joined into an event's line behind its pid.

``,"ppid":1,"comm":"x","user":"root","cgroup":"/a","container":{"id":".."},"ancestors":[..]``
Processes that differ in nothing but the pid, as those that a loop starts, share one fragment and its
number. Names come from outside, through ``Names``.
"""

from functools import lru_cache
from typing import Protocol

from skep.node.images import NO_LINEAGE, Image, Lineage, Row, Who
from skep.node.jsontext import json_text

_GENERATION = 1_024
Key = tuple[int, bytes, bytes, bytes, Lineage]


class Names(Protocol):
    """Where the texts come from that a process does not carry, as ready pieces of JSON."""

    def user(self, uid: int, place: int) -> bytes:
        """A JSON string for a user, in the cgroup ``place``."""

    def cgroup(self, place: int, pid: int) -> bytes:
        """``,"cgroup":..,"container":{..}``, or nothing; ``pid`` was in it a moment ago."""


class Fragments:
    """Makes fragments and lineages; ``ancestors`` is how many of them are named, ``first_ref`` begins the refs.

    It keeps the fragments that were used lately, in two generations: what was not used while 1,024
    others came is retired, and has another ref when it is met again.
    """

    def __init__(self, names: Names, ancestors: int, first_ref: int = 1) -> None:
        self._names, self._ancestors = names, ancestors
        self._comm = lru_cache(maxsize=4_096)(json_text)
        self._next = first_ref
        self._young: dict[Key, Who] = {}
        self._old: dict[Key, Who] = {}
        self._by_ref: dict[int, Who] = {}
        self._fresh: list[Who] = []
        self._retired: list[int] = []

    def who(self, image: Image) -> Who:
        """What an event says of ``image``; its definition is due the first time."""
        who = image.who
        if who is None or who.over:
            row = Row(image.pid, image.ppid, image.uid, image.cgroup, image.start, image.comm)
            who = image.who = self.shared(row, image.place, image.lineage)
        return who

    def shared(self, row: Row, place: int, lineage: Lineage) -> Who:
        """The same of a process without an image. Of pid 0, which is none, what its socket tells alone."""
        user, cgroup = self._names.user(row.uid, place), self._names.cgroup(place, row.pid)
        key = (row.ppid if row.pid else -1, row.comm, user, cgroup, lineage)
        who = self._young.get(key)
        if who is None:
            who = self._old.pop(key, None) or self._new(key)
            self._keep(key, who)
        return who

    def describe(self, ref: int) -> bytes:
        """The fragment of ``ref``; KeyError where it was retired or never given."""
        return self._by_ref[ref].text

    def fresh(self) -> list[Who]:
        """What was given for the first time since the last call."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def retired(self) -> list[int]:
        """Refs that will not be given again, since the last call."""
        retired, self._retired = self._retired, []
        return retired

    def _new(self, key: Key) -> Who:
        ppid, comm, user, cgroup, lineage = key
        if ppid < 0:
            text = b'"user":' + user + cgroup
        else:
            parts = (ppid, self._comm(comm), user, cgroup, lineage.text)
            text = b',"ppid":%d,"comm":%b,"user":%b%b%b' % parts
        who = self._by_ref[self._next] = Who(self._next, text)
        self._next += 1
        self._fresh.append(who)
        return who

    def _keep(self, key: Key, who: Who) -> None:
        if len(self._young) >= _GENERATION:
            for old in self._old.values():
                old.over = True
                del self._by_ref[old.ref]
                self._retired.append(old.ref)
            self._old, self._young = self._young, {}
        self._young[key] = who

    def heirs(self, parent: Image) -> Lineage:
        """The lineage of ``parent``'s children, kept with it."""
        if parent.heirs is None:
            parent.heirs = self._lineage(parent)
        return parent.heirs

    def _lineage(self, parent: Image) -> Lineage:
        if not self._ancestors:
            return NO_LINEAGE
        piece = b'{"pid":%d,"comm":%b}' % (parent.pid, self._comm(parent.comm))
        pieces = (piece, *parent.lineage.pieces[: self._ancestors - 1])
        return Lineage(pieces, b',"ancestors":[%b]' % b",".join(pieces))
