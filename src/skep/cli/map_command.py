"""``skep map``: the maps of this machine, whoever made them, and what is in one. Needs no agent."""

import json
import sys
from itertools import islice
from typing import Any

import click

from skep.base.errors import BadInput
from skep.cli import terminal
from skep.cli.commands import examples
from skep.cli.objects import ADMIN, Holders, chosen, completing, listed
from skep.cli.options import json_option
from skep.cli.table import table
from skep.cli.terminal import safe
from skep.kernel import commands, contents, objects
from skep.kernel.bpf import DOOR
from skep.kernel.commands import Command
from skep.kernel.contents import UNLISTED, Entry
from skep.kernel.keeping import maps_by_program
from skep.kernel.objects import MapInfo
from skep.kernel.refusal import refused
from skep.program.machine import Machine

HEAD = ("id", "kind", "name", "key", "value", "room", "programs", "held by")
RIGHT = "id,key,value,room"
PREFIX = "BPF_MAP_TYPE_"
SHOWN = 100


@click.command(
    epilog=examples("skep map", "skep map counts", "skep map 42 --most 1000", "skep map 42 --json")
)
@click.argument(
    "name", required=False, metavar="[ID|NAME]", shell_complete=completing(objects.maps)
)
@click.option(
    "--most", type=click.IntRange(1), default=SHOWN, show_default=True, help="Entries to show."
)
@json_option
def command(*, name: str | None, most: int, as_json: bool) -> None:
    """Show the maps of this machine, or the entries of one.

    KEY and VALUE are sizes in bytes, ROOM is how many entries it can hold, PROGRAMS are those that use it.
    Entries are shown by the types that the kernel knows of a map (BTF), else in hexadecimal. A map is gone
    when no program, process or pin holds it.
    """
    found = listed("maps", objects.maps(DOOR))
    if name is None:
        _list(found, as_json=as_json)
        return
    one = chosen("map", name, found)
    if one.type in UNLISTED or contents.hides_values(one):
        kind = _kinds().get(one.type, str(one.type))
        size = f" with values of {one.value_size} bytes" if one.type not in UNLISTED else ""
        raise BadInput(f"map {name}", f"the entries of a {kind}{size} cannot be listed")
    with refused("BPF_MAP_GET_FD_BY_ID", name):
        fd = commands.by_id(DOOR, Command.MAP_BY_ID, one.id)
    try:
        with refused("BPF_MAP_LOOKUP_ELEM", name):
            rows = list(islice(contents.entries(DOOR, fd, one), most + 1))
    finally:
        DOOR.close(fd)
    _show(rows[:most], more=len(rows) > most, as_json=as_json)


def _show(rows: list[Entry], *, more: bool, as_json: bool) -> None:
    if as_json:
        pairs = [{"key": one.key, "value": one.value} for one in rows]
        click.echo(json.dumps({"entries": pairs, "more": more}, indent=2))
        return
    for one in rows:
        click.echo(safe(f"{_text(one.key)}: {_text(one.value)}"))
    if not rows:
        click.echo("it has no entries", err=True)
    if more:
        click.echo(f"there are more: --most shows more than {len(rows)}", err=True)


def _text(value: Any) -> str:  # noqa: ANN401 - any value of JSON
    if isinstance(value, dict):
        return " ".join(f"{name}={_text(part)}" for name, part in value.items())
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    return str(value)


def _kinds() -> dict[int, str]:
    names = Machine().btf.enum("bpf_map_type")
    return {number: name.removeprefix(PREFIX).lower() for number, name in names.items()}


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
    kinds, held, used = _kinds(), Holders("map"), _used()
    if as_json:
        rows = [
            one._asdict()
            | {
                "kind": kinds.get(one.type, str(one.type)),
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
            *(", ".join(map(str, used.get(one.id, []))) or "-", held.text(one.id)),
        )
        for one in found
    ]
    sys.stdout.write(table(HEAD, lines, terminal.of(sys.stdout), RIGHT))
