"""Programs, maps and links of this machine, whoever made them: how a command finds one, and who holds it.

A command names an object by id or by name; a name that several have is answered with their ids.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Protocol, TypeVar

import click
from click.shell_completion import CompletionItem

from skep.base.errors import BadInput, SkepError
from skep.base.similar import similar
from skep.kernel import commands
from skep.kernel.bpf import DOOR, Door
from skep.kernel.commands import Command
from skep.kernel.keeping import Pin, pins
from skep.kernel.refusal import refused
from skep.kernel.stats import Holder, holders

ADMIN = ("CAP_SYS_ADMIN",)
MOST_HOLDERS = 3
LONGEST_NAME = 15
OPENING = {
    "prog": Command.PROG_BY_ID,
    "map": Command.MAP_BY_ID,
    "link": Command.LINK_BY_ID,
}


class Named(Protocol):
    """An object with an id and a name."""

    @property
    def id(self) -> int:
        """Its id."""

    @property
    def name(self) -> str:
        """Its name."""


Completion = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

Object = TypeVar("Object", bound=Named)
Info = TypeVar("Info")


def listed(what: str, found: Iterable[Info]) -> list[Info]:
    """All of them; Forbidden, named ``what``, without CAP_SYS_ADMIN."""
    with refused(f"listing {what}", needs=ADMIN):
        return list(found)


def chosen(what: str, word: str, objects: Sequence[Object]) -> Object:
    """The one of that id or name, of which the kernel keeps 15 characters; BadInput: there is none, or several."""
    if word.isdigit():
        matching = [one for one in objects if one.id == int(word)]
    else:
        matching = [one for one in objects if one.name == word[:LONGEST_NAME]]
    if len(matching) == 1:
        return matching[0]
    if matching:
        ids = ", ".join(str(one.id) for one in matching)
        raise BadInput(f"{what} {word}", f"{len(matching)} have that name", f"take an id: {ids}")
    near = similar(word, [one.name for one in objects if one.name])
    hint = f"did you mean {near!r}?" if near else f"`skep {what}` lists them"
    raise BadInput(f"{what} {word}", "there is none", hint)


@contextmanager
def opened(what: str, word: str, number: int) -> Iterator[int]:
    """A descriptor of the object that was chosen by ``word``, for the time of the block.

    BadInput where it is gone since it was listed.
    """
    with refused(f"BPF_{what.upper()}_GET_FD_BY_ID", word, needs=ADMIN):
        try:
            fd = commands.by_id(DOOR, OPENING[what], number)
        except FileNotFoundError as error:
            raise BadInput(f"{what} {word}", "it is gone") from error
    try:
        yield fd
    finally:
        DOOR.close(fd)


def completing(every: Callable[[Door], Iterable[Named]]) -> Completion:
    """What completes an argument in a shell: names, or ids, of the objects that ``every`` gives.

    What one may not see is not offered.
    """

    def complete(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
        with suppress(SkepError, OSError):
            words = {str(one.id) if begun.isdigit() else one.name for one in every(DOOR)}
            return [CompletionItem(one) for one in sorted(words) if one.startswith(begun)]
        return []

    return complete


def or_files(complete: Completion) -> Completion:
    """The same; where nothing is offered, files are."""

    def completes(
        context: click.Context, parameter: click.Parameter, begun: str
    ) -> list[CompletionItem]:
        found = complete(context, parameter, begun)
        return found or [CompletionItem(begun, type="file")]

    return completes


class Holders:
    """Who holds objects of a kind (prog, map, link): processes by their descriptors, and pins; read once."""

    def __init__(
        self, kind: str, found: Iterable[Holder] | None = None, pinned: Iterable[Pin] | None = None
    ) -> None:
        self._by_id: dict[int, dict[int, str]] = defaultdict(dict)
        self._pins: dict[int, list[str]] = defaultdict(list)
        for one in holders() if found is None else found:
            if one.kind == kind:
                self._by_id[one.id][one.pid] = one.comm
        for pin in pins() if pinned is None else pinned:
            if pin.kind == kind:
                self._pins[pin.id].append(pin.path)

    def text(self, number: int) -> str:
        """The first holders of an object, ``comm[pid]`` or the path of a pin; "-": a link or program keeps it."""
        known = [*self.processes(number), *self._pins[number]]
        more = len(known) - MOST_HOLDERS
        return ", ".join(known[:MOST_HOLDERS]) + (f" and {more} more" if more > 0 else "") or "-"

    def processes(self, number: int) -> list[str]:
        """The processes that hold an object, ``comm[pid]``."""
        return [f"{comm}[{pid}]" for pid, comm in sorted(self._by_id[number].items())]

    def pids(self, number: int) -> list[int]:
        """The processes that hold an object."""
        return sorted(self._by_id[number])

    def pins(self, number: int) -> list[str]:
        """The pins of an object, as paths."""
        return self._pins[number]
