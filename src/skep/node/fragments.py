"""The JSON that says who did it: a fragment without braces, joined into an event's line as it is.

``"pid":12,"ppid":1,"comm":"x","user":"root","cgroup":"/a","container":{"id":".."},"ancestors":[..]``
Pieces that many processes share are made once. Names come from outside, through ``Names``.
"""

from functools import lru_cache
from typing import Protocol

from skep.node.images import NO_LINEAGE, Image, Lineage
from skep.node.jsontext import json_text


class Names(Protocol):
    """Where the texts come from that a process does not carry, as ready pieces of JSON."""

    def user(self, uid: int, place: int) -> bytes:
        """A JSON string for a user, in the cgroup ``place``."""

    def cgroup(self, place: int, pid: int) -> bytes:
        """``,"cgroup":..,"container":{..}``, or nothing; ``pid`` was in it a moment ago."""


class Fragments:
    """Makes fragments and lineages; ``ancestors`` is how many of them are named."""

    def __init__(self, names: Names, ancestors: int) -> None:
        self._names, self._ancestors = names, ancestors
        self._comm = lru_cache(maxsize=4_096)(json_text)

    def text(self, image: Image) -> bytes:
        """The fragment of an image."""
        cgroup = self._names.cgroup(image.place, image.pid)
        return b'"pid":%d,"ppid":%d,"comm":%b,"user":%b%b%b' % (
            image.pid,
            image.ppid,
            self._comm(image.comm),
            self._names.user(image.uid, image.place),
            cgroup,
            image.lineage.text,
        )

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
