"""``skep link``: what is attached on this machine, to what, and who holds it. Needs no agent."""

import json
import sys
from collections.abc import Mapping
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
from skep.kernel.linkless import on_cgroups, on_devices
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

    A link is gone when nothing holds it: a process or a pin (HELD BY). What has no ID is attached without a
    link, to a cgroup or a device of this network namespace, and stays until it is taken away there.
    """
    kernel = Machine().btf
    rows = _objects(listed("links", objects.links(DOOR)), kernel)
    if as_json:
        click.echo(json.dumps({"links": rows}, indent=2))
        return
    sys.stdout.write(table(HEAD, [_row(row) for row in rows], terminal.of(sys.stdout), "id"))


def _objects(links: list[LinkInfo], kernel: Btf) -> list[dict[str, Any]]:
    names = {one.id: one.name for one in listed("programs", objects.programs(DOOR))}
    kinds, held, cgroups = kernel.enum("bpf_link_type"), Holders("link"), CgroupFiles()
    paths = dict(cgroups.scan())
    rows = [
        {
            "id": one.id,
            "kind": kinds.get(one.type, str(one.type)).removeprefix(PREFIX).lower(),
            **_place(one.program_id, _target(one, kernel), names, paths),
            "pids": held.pids(one.id),
            "pins": held.pins(one.id),
            "holders": held.text(one.id),
        }
        for one in links
    ]
    linked = {(row["kind"], row["program"]["id"]) for row in rows}
    root = cgroups.mounts.unified
    found = (*on_devices(), *(on_cgroups(DOOR, root, paths.items(), kernel) if root else ()))
    bare: dict[str, Any] = {"pids": [], "pins": [], "holders": "-"}
    rows += [
        {"id": None, "kind": one.kind, **_place(one.program, one.target, names, paths), **bare}
        for one in found
        if (one.kind, one.program) not in linked
    ]
    return rows


def _place(
    program: int, where: Target, names: Mapping[int, str], cgroups: Mapping[int, str]
) -> dict[str, Any]:
    """A program and its target, a cgroup by its path."""
    what = where.what
    if where.kind == "cgroup":
        what = cgroups.get(int(what), what)
    target = {"kind": where.kind, "name": what} | ({"attach": where.attach} if where.attach else {})
    return {"program": {"id": program, "name": names.get(program, "")}, "target": target}


def _target(link: LinkInfo, kernel: Btf) -> Target:
    """Where a link is attached. A device has its index, which only its own namespace can name."""
    try:
        fd = commands.by_id(DOOR, Command.LINK_BY_ID, link.id)
    except OSError:
        return NOTHING  # it is gone since it was listed
    try:
        return target(DOOR, fd, link.type, kernel)
    finally:
        DOOR.close(fd)


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    program, where = one["program"], one["target"]
    name = f"{program['name'] or '-'} ({program['id']})"
    return (
        str(one["id"] or "-"),
        one["kind"],
        name,
        " ".join(where.values()).strip() or "-",
        one["holders"],
    )
