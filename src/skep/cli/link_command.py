"""``skep link``: what is attached on this machine, to what, and who holds it. Needs no agent."""

import json
import sys
from typing import Any

import click

from skep.btf.reader import Btf
from skep.cli import terminal
from skep.cli.commands import examples
from skep.cli.objects import Holders, listed
from skep.cli.options import json_option
from skep.cli.table import table
from skep.kernel import commands, objects
from skep.kernel.bpf import DOOR
from skep.kernel.commands import Command
from skep.kernel.objects import LinkInfo
from skep.kernel.targets import NOTHING, Target, target
from skep.node.cgroup_files import CgroupFiles
from skep.program.machine import Machine

HEAD = ("id", "kind", "program", "target", "held by")
PREFIX = "BPF_LINK_TYPE_"


@click.command(epilog=examples("skep link", "skep link --json"))
@json_option
def command(*, as_json: bool) -> None:
    """Show the links of this machine: a program, and what it is attached to.

    A link is gone when nothing holds it: a process (HELD BY), or a pin.
    """
    kernel = Machine().btf
    rows = _objects(listed("links", objects.links(DOOR)), kernel)
    if as_json:
        click.echo(json.dumps({"links": rows}, indent=2))
        return
    sys.stdout.write(table(HEAD, [_row(row) for row in rows], terminal.of(sys.stdout), "id"))


def _objects(links: list[LinkInfo], kernel: Btf) -> list[dict[str, Any]]:
    names = {one.id: one.name for one in listed("programs", objects.programs(DOOR))}
    kinds, held = kernel.enum("bpf_link_type"), Holders("link")
    rows = []
    for one in links:
        where = _target(one, kernel)
        rows.append(
            {
                "id": one.id,
                "kind": kinds.get(one.type, str(one.type)).removeprefix(PREFIX).lower(),
                "program": {"id": one.program_id, "name": names.get(one.program_id, "")},
                "target": {"kind": where.kind, "name": where.what},
                "pids": held.pids(one.id),
                "holders": held.text(one.id),
            }
        )
    return rows


def _target(link: LinkInfo, kernel: Btf) -> Target:
    """Where a link is attached; a cgroup by its path. A device has its index, which only its own namespace can name."""
    try:
        fd = commands.by_id(DOOR, Command.LINK_BY_ID, link.id)
    except OSError:
        return NOTHING  # it is gone since it was listed
    try:
        found = target(DOOR, fd, link.type, kernel)
    finally:
        DOOR.close(fd)
    return found._replace(what=_cgroup(found.what)) if found.kind == "cgroup" else found


def _cgroup(number: str) -> str:
    paths = (path for inode, path in CgroupFiles().scan() if inode == int(number))
    return next(paths, number)


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    program, where = one["program"], one["target"]
    name = f"{program['name'] or '-'} ({program['id']})"
    return (
        str(one["id"]),
        one["kind"],
        name,
        f"{where['kind']} {where['name']}".strip() or "-",
        one["holders"],
    )
