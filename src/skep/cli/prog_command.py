"""``skep prog``: the programs that are loaded on this machine, whoever loaded them. Needs no agent."""

import json
import sys
from typing import Any

import click

from skep.base.units import count_text
from skep.cli import terminal
from skep.cli.commands import examples
from skep.cli.objects import Holders, chosen, listed
from skep.cli.options import json_option
from skep.cli.table import table
from skep.kernel import objects
from skep.kernel.bpf import DOOR
from skep.kernel.objects import ProgramInfo
from skep.program.machine import Machine

HEAD = ("id", "kind", "name", "instructions", "runs", "ns/run", "missed", "links", "held by")
RIGHT = "id,instructions,runs,ns/run,missed"
PREFIX = "BPF_PROG_TYPE_"


@click.command(
    epilog=examples("skep prog", "skep prog on_exec", "skep prog 42 --json", "skep disasm 42")
)
@click.argument("program", required=False, metavar="[ID|NAME]")
@json_option
def command(*, program: str | None, as_json: bool) -> None:
    """Show the loaded programs of this machine, or one of them.

    INSTRUCTIONS are those of the kernel, 8 bytes each. RUNS and NS/RUN count only while somebody
    has statistics on. MISSED are runs that were left out because the program already ran on that CPU.
    LINKS and HELD BY say what keeps it: it is gone when nothing does.
    """
    found = listed("programs", objects.programs(DOOR))
    if program is not None:
        found = [chosen("prog", program, found)]
    rows = _objects(found)
    if as_json:
        click.echo(json.dumps({"programs": rows}, indent=2))
        return
    sys.stdout.write(table(HEAD, [_row(row) for row in rows], terminal.of(sys.stdout), RIGHT))


def _objects(found: list[ProgramInfo]) -> list[dict[str, Any]]:
    kinds = Machine().btf.enum("bpf_prog_type")
    held, linked = Holders("prog"), _links()
    return [
        {
            "id": one.id,
            "kind": kinds.get(one.type, str(one.type)).removeprefix(PREFIX).lower(),
            "name": one.name,
            "tag": one.tag,
            "uid": one.uid,
            "instructions": one.xlated_size // 8,
            "machine_code": one.jited_size,
            "verified": one.verified_insns,
            "runs": one.run_cnt,
            "run_ns": one.run_time_ns,
            "missed": one.recursion_misses,
            "links": linked.get(one.id, []),
            "pids": held.pids(one.id),
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


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    mean = f"{one['run_ns'] / one['runs']:.0f}" if one["runs"] else "-"
    links = ", ".join(map(str, one["links"])) or "-"
    numbers = (count_text(one["instructions"]), count_text(one["runs"]), mean)
    missed = count_text(one["missed"])
    return str(one["id"]), one["kind"], one["name"] or "-", *numbers, missed, links, one["holders"]
