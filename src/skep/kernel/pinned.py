"""Maps that outlive their loader: found again by their pin, checked, and moved to a new layout where that is wanted.

A pin in a bpffs is the only state. A map is reused only where type, sizes, flags and every field of key and value are
those of its spec; else a ``Migrate`` makes the entries of the new map from those of the old one, or it is a Conflict.
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, TypeVar

from skep.base.errors import Conflict
from skep.btf.reader import Btf
from skep.kernel import commands
from skep.kernel.bpf import DOOR, Door
from skep.kernel.described import differences, kind_of
from skep.kernel.handle import Handle
from skep.kernel.layouts import TYPED, Kind
from skep.kernel.maps import Map
from skep.kernel.objects import MapInfo, btf_blob, map_info
from skep.kernel.refusal import refusal, refused
from skep.lang.spec import MapSpec, MapType

H = TypeVar("H", bound=Handle)

Entry = tuple[Any, Any]
Migrate = Callable[[Any, Any], Entry | None]
"""From an old entry's key and value to those of the new one; None leaves it out."""

NEXT = "-next"


class Found(NamedTuple):
    """A pinned map as it is: what the kernel says of it, and the types in it where it knows them."""

    info: MapInfo
    key: Kind | None
    value: Kind | None


def reuse(kind: type[H], spec: MapSpec, path: str, *, door: Door = DOOR) -> H:
    """The map that is pinned at ``path``; Conflict, with what differs, where it is not one of ``spec``."""
    found = _get(path, door)
    if found is None:
        error = OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        raise refusal(error, "BPF_OBJ_GET", path, door=door) from error
    with _closed_on_error(found, door):
        _check(spec, path, found, door)
    return kind(spec, found, door=door)


def hold(
    kind: type[H],
    spec: MapSpec,
    path: str,
    migrate: Migrate | None = None,
    *,
    door: Door = DOOR,
) -> H:
    """The map at ``path``: reused, migrated, or made and pinned there. Conflict where it has another layout.

    A migration copies entry by entry while programs may still use the old map, then puts the new one in its place at
    once. What they write into the old one meanwhile, or after, is not carried over.
    """
    fd = _get(path, door)
    if fd is None:
        return _pinned(kind.create(spec, door=door), path)
    with _closed_on_error(fd, door):
        if migrate is None or not different(fd, spec, door):
            _check(spec, path, fd, door)
            migrate = None
        elif not any(_fields(look(fd, door), spec)):
            migrate = _as_it_is
        old = None if migrate is None else _old(spec, path, fd, door)
    if old is None or migrate is None:
        return kind(spec, fd, door=door)
    with old:
        return _moved(old, kind.create(spec, door=door), path, migrate)


def _get(path: str, door: Door) -> int | None:
    """The descriptor of a pin, None where there is none."""
    try:
        return commands.obj_get(door, path)
    except OSError as error:
        if error.errno == errno.ENOENT:
            return None
        raise refusal(error, "BPF_OBJ_GET", path, door=door) from error


@contextmanager
def _closed_on_error(fd: int, door: Door) -> Iterator[None]:
    """A block that finds out what a descriptor is, before an object owns it."""
    try:
        yield
    except BaseException:
        door.close(fd)
        raise


def _pinned(made: H, path: str) -> H:
    try:
        made.pin(path)
    except BaseException:
        made.close()
        raise
    return made


def _check(spec: MapSpec, path: str, fd: int, door: Door) -> None:
    """Conflict where a map is not one of ``spec``."""
    differs = different(fd, spec, door)
    if differs:
        raise _conflict(spec, path, differs)


def _conflict(
    spec: MapSpec,
    path: str,
    differs: tuple[str, ...],
    hint: str = "give migrate= to move its entries, or remove the pin",
) -> Conflict:
    holder = f"a map of another layout ({', '.join(differs)})"
    return Conflict(f"the pin {path} of map {spec.name}", holder, hint)


# --- layouts ------------------------------------------------------------------------------------------------------


def look(fd: int, door: Door) -> Found:
    """What a map is; its types where the kernel has them."""
    with refused("BPF_OBJ_GET_INFO_BY_FD", door=door):
        info = map_info(door, fd)
        if not info.btf_id:
            return Found(info, None, None)
        btf = Btf(btf_blob(door, info.btf_id))
        return Found(info, kind_of(btf, info.key_type), kind_of(btf, info.value_type))


def different(fd: int, spec: MapSpec, door: Door) -> tuple[str, ...]:
    """In what a live map is not one of ``spec``; nothing where it is."""
    found = look(fd, door)
    return (*_numbers(found, spec), *_fields(found, spec))


def _numbers(found: Found, spec: MapSpec) -> Iterator[str]:
    live = found.info
    compared = [
        ("type", live.type, int(spec.type)),
        ("entries", live.entries, spec.entries),
        ("flags", live.flags, spec.flags),
    ]
    if found.value is None:
        compared += [
            ("key size", live.key_size, spec.key_size),
            ("value size", live.value_size, spec.value_size),
        ]
    return (
        f"{what} {_shown(what, has)} instead of {_shown(what, wants)}"
        for what, has, wants in compared
        if has != wants
    )


def _shown(what: str, number: int) -> str:
    names = {int(kind): kind.name for kind in MapType} if what == "type" else {}
    return names.get(number, hex(number) if what == "flags" else str(number))


def _fields(found: Found, spec: MapSpec) -> Iterator[str]:
    if found.value is None or spec.type not in TYPED:
        return
    yield from differences(found.key, spec.key, "key")
    yield from differences(found.value, spec.value, "value")


# --- migration ----------------------------------------------------------------------------------------------------


def _old(spec: MapSpec, path: str, fd: int, door: Door) -> Map:
    """A pinned map with the types that it has itself; Conflict where those are not known. It owns the descriptor."""
    found = look(fd, door)
    if found.key is None or found.value is None or found.info.type not in set(TYPED):
        differs = different(fd, spec, door)
        raise _conflict(spec, path, differs, "the kernel does not know its types: remove the pin")
    info = found.info
    key = found.key if any(differences(found.key, spec.key, "key")) else spec.key
    value = found.value if any(differences(found.value, spec.value, "value")) else spec.value
    was = MapSpec(info.name, MapType(info.type), key, value, info.entries, info.flags)
    return Map(was, fd, door=door)


def _as_it_is(key: Any, value: Any) -> Entry:  # noqa: ANN401 - whatever they are
    """An entry of which only the map has changed."""
    return key, value


def _moved(old: Map, made: H, path: str, migrate: Migrate) -> H:
    """The new map with the entries of the old one, in its place; closed where that fails."""
    try:
        _copy(old, made, migrate)
        with suppress(FileNotFoundError):  # of a migration that was killed
            os.unlink(path + NEXT)
        made.pin(path + NEXT)
        os.rename(path + NEXT, path)
    except BaseException:
        made.close()
        raise
    return made


def _copy(old: Map, made: Handle, migrate: Migrate) -> None:
    if not isinstance(made, Map):
        hint = "leave migrate= away, and remove the pin"
        raise TypeError(f"{made.spec.name} has no keys, so its entries cannot be moved; {hint}")
    converted = (migrate(key, value) for key, value in old.items())
    made.update(entry for entry in converted if entry is not None)
