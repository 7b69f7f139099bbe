"""Programs, maps and links of this machine, whoever made them: how a command finds one, and who holds it.

A command names an object by id or by name; a name that several have is answered with their ids.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from skep.base.errors import BadInput
from skep.base.similar import similar
from skep.kernel.refusal import refused
from skep.kernel.stats import Holder, holders

ADMIN = ("CAP_SYS_ADMIN",)
MOST_HOLDERS = 3


class Named(Protocol):
    """An object with an id and a name."""

    @property
    def id(self) -> int:
        """Its id."""

    @property
    def name(self) -> str:
        """Its name."""


Object = TypeVar("Object", bound=Named)
Info = TypeVar("Info")


def listed(what: str, found: Iterable[Info]) -> list[Info]:
    """All of them; Forbidden, named ``what``, without CAP_SYS_ADMIN."""
    with refused(f"listing {what}", needs=ADMIN):
        return list(found)


def chosen(what: str, word: str, objects: Sequence[Object]) -> Object:
    """The one of that id or name; BadInput where there is none, or several."""
    if word.isdigit():
        matching = [one for one in objects if one.id == int(word)]
    else:
        matching = [one for one in objects if one.name == word]
    if len(matching) == 1:
        return matching[0]
    if matching:
        ids = ", ".join(str(one.id) for one in matching)
        raise BadInput(f"{what} {word}", f"{len(matching)} have that name", f"take an id: {ids}")
    near = similar(word, [one.name for one in objects if one.name])
    hint = f"did you mean {near!r}?" if near else f"`skep {what}` lists them"
    raise BadInput(f"{what} {word}", "there is none", hint)


class Holders:
    """Who holds objects of a kind (prog, map, link): processes by their descriptors, read once."""

    def __init__(self, kind: str, found: Iterable[Holder] | None = None) -> None:
        self._by_id: dict[int, dict[int, str]] = defaultdict(dict)
        for one in holders() if found is None else found:
            if one.kind == kind:
                self._by_id[one.id][one.pid] = one.comm

    def text(self, number: int) -> str:
        """The first holders of an object, ``comm[pid]``; "-" where no process has it: a pin, link or program does."""
        known = [f"{comm}[{pid}]" for pid, comm in sorted(self._by_id[number].items())]
        more = len(known) - MOST_HOLDERS
        return ", ".join(known[:MOST_HOLDERS]) + (f" and {more} more" if more > 0 else "") or "-"

    def pids(self, number: int) -> list[int]:
        """The processes that hold an object."""
        return sorted(self._by_id[number])
