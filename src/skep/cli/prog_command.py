"""``skep prog``: the programs that are loaded on this machine, whoever loaded them. Needs no agent."""

import json
import select
import sys
import time
from collections.abc import Mapping
from typing import Any

import click

from skep.base.clock import rfc3339, wall_offset_ns
from skep.base.errors import BadInput
from skep.base.units import bytes_text, count_text
from skep.cli import terminal
from skep.cli.commands import examples
from skep.cli.ending import Ending
from skep.cli.objects import Holders, chosen, completing, listed, opened
from skep.cli.options import for_option, json_option
from skep.cli.table import pairs, table
from skep.cli.terminal import Terminal
from skep.kernel import objects, stats, streams
from skep.kernel.bpf import DOOR
from skep.kernel.keeping import maps_by_program
from skep.kernel.objects import ProgramInfo
from skep.program.machine import Machine

HEAD = ("id", "kind", "name", "instructions", "runs", "ns/run", "missed", "links", "held by")
BUSY_HEAD = ("id", "kind", "name", "runs/s", "ns/run", "cpu %", "missed", "held by")
RIGHT = "id,instructions,runs,ns/run,missed,runs/s,cpu %"
PREFIX = "BPF_PROG_TYPE_"


@click.command(
    epilog=examples(
        "skep prog",
        "skep prog --for 5s                 which programs cost how much",
        "skep prog on_exec",
        "skep prog 42 --json",
        "skep prog 42 --stream stderr       what the kernel tells of its runs (Linux 6.17)",
        "skep disasm 42",
    )
)
@click.argument(
    "program",
    required=False,
    metavar="[ID|NAME]",
    shell_complete=completing(objects.programs),
)
@click.option(
    "--stream",
    type=click.Choice(tuple(streams.NAMES)),
    help="Take out what it printed there, or the kernel told of its runs.",
)
@for_option
@json_option
def command(
    *, program: str | None, stream: str | None, seconds: float | None, as_json: bool
) -> None:
    """Show the loaded programs of this machine, or what is known of one.

    INSTRUCTIONS are those of the kernel, 8 bytes each. RUNS and NS/RUN count only while somebody
    has statistics on. With --for they are turned on for that time, and what ran in it is shown, the costliest
    first; CPU % is of one CPU. MISSED are runs that were left out because the program already ran on that CPU.
    LINKS and HELD BY say what keeps it: it is gone when nothing does, unless it is attached without a link,
    which `skep link` shows.
    """
    if stream is not None:
        click.echo(_stream(program, stream), nl=False)
        return
    timed = seconds is not None
    rows = _busy(program, seconds) if seconds is not None else _objects(_found(program))
    if as_json:
        click.echo(json.dumps({"programs": rows}, indent=2))
        return
    if program is not None and not timed:
        sys.stdout.write(details(rows[0], _names(), terminal.of(sys.stdout)))
        return
    cells = _busy_row if timed else _row
    shown = table(BUSY_HEAD if timed else HEAD, [*map(cells, rows)], terminal.of(sys.stdout), RIGHT)
    sys.stdout.write(shown)


def _stream(program: str | None, name: str) -> str:
    """What is in a stream of a program. BadInput where none is named."""
    if program is None:
        raise BadInput("--stream", "it is that of one program", "skep prog 42 --stream stderr")
    (one,) = _found(program)
    with opened("prog", program, one.id) as fd:
        return streams.read(fd, streams.NAMES[name], one.name)


def _names() -> dict[int, str]:
    return {one.id: one.name for one in listed("maps", objects.maps(DOOR))}


def details(one: dict[str, Any], maps: Mapping[int, str], shown: Terminal) -> str:
    """All of one program, a line for each thing; ``maps`` are names by id."""
    size, code = bytes_text(one["machine_code"]), count_text(one["instructions"])
    rows = (
        ("program", f"{one['name'] or '-'} ({one['id']}), {one['kind']}, tag {one['tag']}"),
        ("loaded", f"{one['loaded']}, by uid {one['uid']}"),
        ("code", f"{code} instructions, {size} of machine code"),
        ("verified", f"{count_text(one['verified'])} instructions processed"),
        ("runs", f"{count_text(one['runs'])}, {_mean(one)} ns each, {one['missed']} missed"),
        ("maps", ", ".join(f"{maps.get(number) or '-'} ({number})" for number in one["maps"])),
        ("links", ", ".join(map(str, one["links"]))),
        ("held by", ", ".join((*one["processes"], *one["pins"]))),
    )
    return pairs([(name, value or "-") for name, value in rows], shown)


def _found(program: str | None) -> list[ProgramInfo]:
    found = listed("programs", objects.programs(DOOR))
    return found if program is None else [chosen("prog", program, found)]


def _busy(program: str | None, seconds: float) -> list[dict[str, Any]]:
    """What the programs did in a time, as objects with ``seconds``; ``runs`` and ``run_ns`` are those of that time."""
    with stats.enabled():
        before, begun = _found(program), time.monotonic()
        with Ending(seconds) as ending:
            select.select([ending.fd], [], [])
        try:
            after = _found(program)
        except BadInput:
            after = []  # it is gone meanwhile
        took = time.monotonic() - begun
    ran = {one.id: one for one in stats.between(before, after)}
    rows = [
        row
        | {
            "seconds": round(took, 3),
            "runs": ran[row["id"]].run_cnt,
            "run_ns": ran[row["id"]].run_time_ns,
            "missed": ran[row["id"]].recursion_misses,
        }
        for row in _objects(after)
    ]
    return sorted(rows, key=lambda row: -int(row["run_ns"]))


def _objects(found: list[ProgramInfo]) -> list[dict[str, Any]]:
    kinds = Machine().btf.enum("bpf_prog_type")
    held, linked, used = Holders("prog"), _links(), maps_by_program()
    return [
        {
            "id": one.id,
            "kind": kinds.get(one.type, str(one.type)).removeprefix(PREFIX).lower(),
            "name": one.name,
            "tag": one.tag,
            "uid": one.uid,
            "loaded": rfc3339(one.load_time_ns + wall_offset_ns()),
            "instructions": one.xlated_size // 8,
            "machine_code": one.jited_size,
            "verified": one.verified_insns,
            "runs": one.run_cnt,
            "run_ns": one.run_time_ns,
            "missed": one.recursion_misses,
            "links": linked.get(one.id, []),
            "maps": list(used.get(one.id, ())),
            "pids": held.pids(one.id),
            "processes": held.processes(one.id),
            "pins": held.pins(one.id),
            "holders": held.text(one.id),
        }
        for one in found
    ]


def _links() -> dict[int, list[int]]:
    """The ids of links by the program that they run."""
    found: dict[int, list[int]] = {}
    for link in listed("links", objects.links(DOOR)):
        found.setdefault(link.program_id, []).append(link.id)
    return found


def _mean(one: dict[str, Any]) -> str:
    return f"{one['run_ns'] / one['runs']:.0f}" if one["runs"] else "-"


def _busy_row(one: dict[str, Any]) -> tuple[str, ...]:
    seconds = one["seconds"]
    rate, share = one["runs"] / seconds, one["run_ns"] / seconds / 1e7
    numbers = (f"{rate:,.0f}", _mean(one), f"{share:.2f}", count_text(one["missed"]))
    return str(one["id"]), one["kind"], one["name"] or "-", *numbers, one["holders"]


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    links = ", ".join(map(str, one["links"])) or "-"
    numbers = (count_text(one["instructions"]), count_text(one["runs"]), _mean(one))
    missed = count_text(one["missed"])
    return str(one["id"]), one["kind"], one["name"] or "-", *numbers, missed, links, one["holders"]
