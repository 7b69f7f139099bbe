"""Names for the process table: users by uid, cgroups and their containers by id, as pieces of JSON.

Lives beside the table, in the process that drains. In a container a uid is the number: the host's
names are not those of the image. ``refresh`` is called each second or so.
"""

import json
import os
from functools import lru_cache

from skep.node.cgroup_table import GONE, CgroupTable
from skep.node.cgroups import Cgroup
from skep.node.jsontext import json_text
from skep.node.users import Users

_ROOT = b'"root"'
_SELDOM = 5


class Attribution:
    """What ``Fragments`` asks for. Without ``users`` a uid stays a number."""

    def __init__(self, cgroups: CgroupTable, users: Users | None = None) -> None:
        self._cgroups, self._users = cgroups, users
        self._piece = lru_cache(maxsize=4_096)(cgroup_piece)
        self._names: dict[int, bytes] = {}
        self._refreshed = 0

    def refresh(self) -> None:
        """Take up what has changed in the file of users, and at times in how cgroups are used."""
        self._refreshed += 1
        if self._refreshed % _SELDOM == 0:
            self._cgroups.refresh()
        if self._users is not None and self._users.refresh():
            self._names = {}

    def user(self, uid: int, place: int) -> bytes:
        """A JSON string: the user's name on the host, in a container the number (root is root)."""
        if self._cgroups.get(place).container:
            return b'"%d"' % uid if uid else _ROOT
        known = self._names.get(uid)
        if known is None:
            name = self._users.name(uid) if self._users else None
            known = json.dumps(str(uid) if name is None else name).encode()
            self._names[uid] = known
        return known

    def cgroup(self, place: int, pid: int) -> bytes:
        """``,"cgroup":..`` with container and pod where the path tells; "" for one that is gone."""
        found = self._cgroups.get(place, pid)
        return b"" if found is GONE else self._piece(found)


def cgroup_piece(cgroup: Cgroup) -> bytes:
    """``,"cgroup":"/a","container":{"id":"..","runtime":".."},"pod":{"uid":".."}``: what is known."""
    piece = b',"cgroup":' + json_text(os.fsencode(cgroup.path))
    if cgroup.container:
        container = {"id": cgroup.container}
        if cgroup.runtime:
            container["runtime"] = cgroup.runtime
        piece += b',"container":' + _json(container)
    if cgroup.pod:
        piece += b',"pod":' + _json({"uid": cgroup.pod})
    return piece


def _json(value: dict[str, str]) -> bytes:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace")
