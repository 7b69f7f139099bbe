"""What a map of a file's programs holds at the end of ``skep run``: its entries as values, and what else is to be said.

Programs still run while it is read, so that of each no more is read than it has room for. A queue ends with the
command, and its values are taken out; a pinned one goes on, and keeps them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skep.base.frozen import frozen
from skep.base.lazy import lazy
from skep.lang.declared.nested import INNER, ArrayOfMaps
from skep.lang.declared.queues import Queue
from skep.lang.declared.storage import AttachedStorage, CgroupStorage, Storage, TaskStorage
from skep.lang.forms import Form, Frames, Symbol
from skep.lang.maps import Bars, BuildId, Declaration, Global, StackTraces, Table
from skep.lang.spec import MapType
from skep.lang.struct import Struct, StructType
from skep.node.jsontext import readable
from skep.program.live import Live

if TYPE_CHECKING:
    from skep.kernel.queues import Queue as LiveQueue
    from skep.kernel.storages import Storage as LiveStorage

np = lazy("numpy")  # what few programs need would delay the attaching
cgroup_files = lazy("skep.node.cgroup_files")
symbols, variables = lazy("skep.kernel.symbols"), lazy("skep.kernel.variables")

FILLED = frozenset({MapType.HASH, MapType.PERCPU_HASH, MapType.LPM_TRIE})
ARRAYS = frozenset({MapType.ARRAY, MapType.PERCPU_ARRAY})
"""Of these only what is not 0 is content."""
FULL = "it is full: what came later found no room"
PINNED = "it is pinned: the next one stays in it, and what is behind"
UNLISTED = (
    "it has a value for each {owner} that programs gave one; these owners cannot be listed here"
)

Entry = tuple[Any, Any]


@frozen
class Content:
    """Entries as they are shown, with names of keys for people, and a sentence behind them.

    Values without keys have the key None. ``bars``: the entries are counts by slot. ``by_cpu``: each value is a list
    with one for each CPU.
    """

    entries: list[Entry]
    note: str = ""
    names: Mapping[Any, str] = field(default_factory=dict)
    bars: Bars | None = None
    by_cpu: bool = False


def content(live: Live, declared: Declaration, *, take: bool = False) -> Content | None:
    """What a map holds; None of what cannot be read, or is no content: rings, filters, programs, places.

    ``take``: what a table holds is taken out of it, unless it is pinned.
    """
    match declared:
        case Global():
            return Content(list(_variables(live[declared])))
        case StackTraces():
            return _stacks(live[declared].items())
        case Queue():
            return _queue(live[declared], declared)
        case Storage():
            return _storage(live[declared], declared)
        case AttachedStorage():
            paths = dict(cgroup_files.CgroupFiles().scan())
            found = [(paths.get(key, key), value) for key, value in live[declared].items()]
            by_size = sorted(found, key=_size, reverse=True)
            return Content(by_size, by_cpu=declared.type.per_cpu)
        case ArrayOfMaps():
            maps = live[declared].items()
            return Content([((key, k), v) for key, inner in maps for k, v in inner.items()])
        case Table() if declared.type in INNER:
            held = live[declared]
            return _table(
                live, declared, held.drain() if take and not declared.pin else [*held.items()]
            )
    return None


def _table(live: Live, declared: Table, every: list[Entry]) -> Content:
    """The largest numbers first; of counts by slot, the slots in their order."""
    kept = [entry for entry in every if declared.type not in ARRAYS or _any(entry[1])]
    _learn(live, declared, kept)
    if declared.bars:
        return Content(kept, bars=declared.bars)
    full = declared.type in FILLED and len(every) == declared.entries
    kept = sorted(kept, key=_size, reverse=True)
    if declared.keys:
        kept = [(_formed(live, declared, declared.keys, key), value) for key, value in kept]
    return Content(kept, FULL if full else "", by_cpu=declared.type.per_cpu)


def _learn(live: Live, declared: Table, entries: list[Entry]) -> None:
    """Look up the kernel's names in keys at once, which is as dear as one of them."""
    keys = [key for key, _ in entries]
    learned: list[tuple[Form | None, list[Any]]] = [(declared.keys, keys)]
    if isinstance(declared.key, StructType):
        forms = declared.key.forms.items()
        learned = [(form, [getattr(key, name) for key in keys]) for name, form in forms]
    for form, values in learned:
        if isinstance(form, Frames | Symbol):
            live.names.learn(form, values)


def _formed(live: Live, declared: Table, form: Form, key: Any) -> Any:  # noqa: ANN401 - values of the language, of JSON
    """A key that is no Struct in the form that its map says, as the field of one has it."""
    space = {"__annotations__": {"key": declared.key}}
    one = StructType("Key", (Struct,), space, forms={"key": form})
    return live.shown(one(key))["key"]


def _variables(live: Any) -> Iterator[Entry]:  # noqa: ANN401 - variables in memory
    """Each by its name; of arrays the elements that are not 0, for an arena has millions."""
    for name in live.__dir__():  # in the order of the Struct
        value = getattr(live, name)
        if isinstance(value, variables.ArrayVariable):
            elements = np.ascontiguousarray(np.asarray(value)).view("u1").reshape(len(value), -1)
            found = np.flatnonzero(elements.any(axis=1)).tolist()
            yield from ((f"{name}[{index}]", variables.plain(value[index])) for index in found)
        else:
            yield name, variables.plain(value)


def _stacks(found: Any) -> Content:  # noqa: ANN401 - pairs, as a live map has them
    """The functions of each stack by its id, innermost first; places of a process are addresses, or in files."""
    stacks = dict(found)
    kernel = symbols.Symbols().stacks(
        [] if frames and isinstance(frames[0], BuildId) else frames for frames in stacks.values()
    )
    return Content(
        [
            (key, named or [_place(one) for one in frames if one.status])
            for (key, frames), named in zip(stacks.items(), kernel, strict=True)
        ]
    )


def _place(frame: BuildId) -> str:
    """A place in a file; an address where the process has no file there."""
    file = "".join(f"{byte:02x}" for byte in frame.build_id)
    return f"{file}+{frame.offset:#x}" if frame.status == 1 else f"{frame.offset:#x}"


def _queue(live: "LiveQueue", declared: Queue) -> Content:
    """The values in the order in which they come out."""
    if not declared.pin:
        return Content([(None, value) for value in islice(live, declared.entries)])
    try:
        return Content([(None, live.peek())], PINNED)
    except IndexError:
        return Content([])


def _storage(live: "LiveStorage", declared: Storage) -> Content:
    """The largest numbers first, of the owners that are there now."""
    owned: dict[Any, Any]
    match declared:
        case TaskStorage():
            names = dict(_threads())
            owned = {tid: live.get(tid) for tid in names}
        case CgroupStorage():
            files, names = cgroup_files.CgroupFiles(), {}
            root = files.mounts.unified
            owned = {path: live.get(f"{root}{path}") for _, path in files.scan()}
        case _:
            return Content([], UNLISTED.format(owner=declared.owner.word))
    entries = [(key, value) for key, value in owned.items() if value is not None]
    return Content(sorted(entries, key=_size, reverse=True), names=names)


def _threads() -> Iterator[tuple[int, str]]:
    """The threads of this machine, each with its name."""
    for path in Path("/proc").glob("[0-9]*/task/*"):
        try:
            name = readable((path / "comm").read_bytes().removesuffix(b"\n"))
        except OSError:
            continue  # it has ended
        yield int(path.name), f"{name}[{path.name}]"


def _any(value: Any) -> bool:  # noqa: ANN401 - a value of the language
    """Whether a value, or one of its parts, is not 0."""
    if isinstance(value, Struct):
        return any(value.to_bytes())
    return any(map(_any, value)) if isinstance(value, list) else bool(value)


def _size(entry: Entry) -> int:
    value = entry[1]
    if isinstance(value, list):
        return sum(part for part in value if isinstance(part, int))
    return value if isinstance(value, int) else 0
