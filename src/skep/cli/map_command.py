"""``skep map``: the maps of this machine, whoever made them, what is in one, and changes of it. Needs no agent."""

import json
import sys
from itertools import islice
from typing import Any

import click

from skep.base.errors import BadInput
from skep.base.units import bytes_text
from skep.btf.values import Value
from skep.cli import terminal
from skep.cli.commands import examples
from skep.cli.map_entry import Change, entry
from skep.cli.objects import ADMIN, Holders, chosen, completing, listed, opened
from skep.cli.options import json_option
from skep.cli.table import table
from skep.cli.terminal import safe
from skep.kernel import contents, objects
from skep.kernel.bpf import DOOR
from skep.kernel.contents import UNLISTED, Entry
from skep.kernel.keeping import maps_by_program
from skep.kernel.objects import MapInfo
from skep.kernel.refusal import refused
from skep.kernel.stats import footprints
from skep.kernel.symbols import Symbols
from skep.lang.spec import MapType
from skep.program.machine import Machine

HEAD = ("id", "kind", "name", "key", "value", "room", "memory", "programs", "held by")
RIGHT = "id,key,value,room,memory"
PREFIX = "BPF_MAP_TYPE_"
SHOWN = 100


@click.command(
    epilog=examples(
        "skep map",
        "skep map counts",
        "skep map 42 --most 1000 --json",
        "skep map flows 'address=1 port=443'",
        "skep map counts 7 --set 0",
        "skep map counts 7 --delete",
    )
)
@click.argument(
    "name", required=False, metavar="[ID|NAME]", shell_complete=completing(objects.maps)
)
@click.argument("key", required=False, metavar="[KEY]")
@click.option(
    "--most", type=click.IntRange(1), default=SHOWN, show_default=True, help="Entries to show."
)
@click.option(
    "--set", "value", metavar="VALUE", help="Set the value of KEY; of a per-CPU map of all."
)
@click.option("--delete", is_flag=True, help="Delete KEY.")
@json_option
def command(
    *, name: str | None, key: str | None, most: int, value: str | None, delete: bool, as_json: bool
) -> None:
    """Show the maps of this machine, the entries of one, or that of a KEY.

    KEY and VALUE are sizes in bytes, ROOM is how many entries it can hold, MEMORY what it takes of the
    kernel's, PROGRAMS are those that use it. Entries are shown by the types that the kernel knows of a map
    (BTF), else in hexadecimal; keys and values are given as they are shown, or as JSON. Of a queue only the
    next value can be seen. A map is gone when no program, process or pin holds it.
    """
    change = Change(value, delete)
    if (change.any and key is None) or (value is not None and delete):
        raise BadInput(
            "map", "--set and --delete change one entry", "give its KEY, and one of them"
        )
    found = listed("maps", objects.maps(DOOR))
    if name is None:
        _list(found, as_json=as_json)
        return
    one = chosen("map", name, found)
    if one.type in UNLISTED or contents.hides_values(one):
        raise BadInput(f"map {name}", _unlisted(one))
    if key is None:
        _entries(name, one, most, as_json=as_json)
        return
    if one.type in contents.PEEKED:
        raise BadInput(f"map {name}", f"a {_kind(one)} has no keys")
    shown = entry(name, one, key, change)
    if shown is not None:
        _show(_named([shown], one), more=False, as_json=as_json)


def _unlisted(one: MapInfo) -> str:
    """Why the entries of a map are not shown."""
    size = f", with values of {one.value_size} bytes" if one.type not in UNLISTED else ""
    return f"it is of kind {_kind(one)}{size}, whose entries cannot be listed"


def _entries(name: str, one: MapInfo, most: int, *, as_json: bool) -> None:
    with opened("map", name, one.id) as fd, refused("BPF_MAP_LOOKUP_ELEM", name):
        rows = list(islice(contents.entries(DOOR, fd, one), most + 1))
    _show(_named(rows[:most], one), more=len(rows) > most, as_json=as_json)


def _named(rows: list[Entry], one: MapInfo) -> list[Entry]:
    """The same; in stacks the names of the kernel's functions in place of their addresses."""
    if one.type != MapType.STACK_TRACE:
        return rows
    names = Symbols()
    stacks = {row.key: row.value for row in rows if isinstance(row.value, list)}
    names.callers(int(str(at), 16) for stack in stacks.values() for at in stack)
    return [
        Entry(row.key, [names.caller(int(str(at), 16)) for at in stacks[row.key]])
        if row.key in stacks
        else row
        for row in rows
    ]


def _show(rows: list[Entry], *, more: bool, as_json: bool) -> None:
    if as_json:
        pairs = [_pair(one) for one in rows]
        click.echo(json.dumps({"entries": pairs, "more": more}, indent=2))
        return
    for one in rows:
        key = "next" if one.key is None else _text(one.key)
        click.echo(safe(f"{key}: {_text(one.value)}"))
    if not rows:
        click.echo("it has no entries", err=True)
    if more:
        click.echo(f"there are more: --most shows more than {len(rows)}", err=True)


def _pair(one: Entry) -> dict[str, Value]:
    return {"value": one.value} if one.key is None else {"key": one.key, "value": one.value}


def _text(value: Any) -> str:  # noqa: ANN401 - any value of JSON
    if isinstance(value, dict):
        return " ".join(f"{name}={_part(part)}" for name, part in value.items())
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    return str(value)


def _part(value: Any) -> str:  # noqa: ANN401 - any value of JSON
    return f"{{{_text(value)}}}" if isinstance(value, dict) else _text(value)


def _kinds() -> dict[int, str]:
    names = Machine().btf.enum("bpf_map_type")
    return {number: name.removeprefix(PREFIX).lower() for number, name in names.items()}


def _kind(one: MapInfo) -> str:
    return _kinds().get(one.type, str(one.type))


def _used() -> dict[int, list[int]]:
    """The programs that use a map, by the map's id."""
    with refused("listing programs", needs=ADMIN):
        by_program = maps_by_program()
    found: dict[int, list[int]] = {}
    for program, used in by_program.items():
        for one in used:
            found.setdefault(one, []).append(program)
    return found


def _list(found: list[MapInfo], *, as_json: bool) -> None:
    kinds, held, used, taken = _kinds(), Holders("map"), _used(), footprints()
    found = [one for one in found if one.id in taken]  # what is gone since is not shown
    if as_json:
        rows = [
            one._asdict()
            | {
                "kind": kinds.get(one.type, str(one.type)),
                "memory": taken[one.id].memory,
                "frozen": taken[one.id].frozen,
                "programs": used.get(one.id, []),
                "pids": held.pids(one.id),
                "pins": held.pins(one.id),
            }
            for one in found
        ]
        click.echo(json.dumps({"maps": rows}, indent=2))
        return
    lines = [
        (
            *(str(one.id), kinds.get(one.type, str(one.type)), one.name or "-"),
            *(str(one.key_size), str(one.value_size), f"{one.entries:,}"),
            bytes_text(taken[one.id].memory),
            *(", ".join(map(str, used.get(one.id, []))) or "-", held.text(one.id)),
        )
        for one in found
    ]
    sys.stdout.write(table(HEAD, lines, terminal.of(sys.stdout), RIGHT))
