"""``skep link``: what is attached on this machine, to what, and who holds it. Needs no agent."""

import json
import sys
from collections.abc import Mapping
from typing import Any

import click

from skep.base.errors import BadInput
from skep.btf.reader import Btf
from skep.cli import terminal
from skep.cli.commands import examples
from skep.cli.objects import ADMIN, Holders, listed
from skep.cli.options import json_option
from skep.cli.table import table
from skep.kernel import commands, objects
from skep.kernel.bpf import DOOR
from skep.kernel.commands import Command
from skep.kernel.linkless import on_cgroups, on_devices, on_events
from skep.kernel.objects import LinkInfo
from skep.kernel.refusal import ABSENT, refused
from skep.kernel.stats import Holder
from skep.kernel.targets import NOTHING, Target, target
from skep.node.cgroup_files import CgroupFiles
from skep.program.machine import Machine

HEAD = ("id", "kind", "program", "target", "held by")
PREFIX = "BPF_LINK_TYPE_"


@click.command(epilog=examples("skep link", "skep link --json", "skep link 42 --detach"))
@click.argument("number", type=click.IntRange(1), required=False, metavar="[ID]")
@click.option("--detach", is_flag=True, help="Detach the program of link ID, whoever holds it.")
@json_option
def command(*, number: int | None, detach: bool, as_json: bool) -> None:
    """Show the links of this machine, or one: a program, and what it is attached to.

    A link is gone when nothing holds it: a process or a pin (HELD BY). What has no ID is attached without a
    link: to an event that a process holds, or to a cgroup or a device of this network namespace, where it
    stays until it is taken away. Programs
    on devices, cgroups, namespaces and tables can be detached from here; their links stay, without effect.
    """
    if detach:
        _detach(number)
        return
    kernel = Machine().btf
    rows = _objects(listed("links", objects.links(DOOR)), kernel)
    if number is not None:
        rows = [row for row in rows if row["id"] == number]
        if not rows:
            raise _absent(number)
    if as_json:
        click.echo(json.dumps({"links": rows}, indent=2))
        return
    sys.stdout.write(table(HEAD, [_row(row) for row in rows], terminal.of(sys.stdout), "id"))


def _absent(number: int) -> BadInput:
    return BadInput(f"link {number}", "there is none", "`skep link` lists them")


def _detach(number: int | None) -> None:
    if number is None:
        raise BadInput("link", "--detach takes one link away", "give its ID")
    with refused("BPF_LINK_DETACH", f"link {number}", needs=ADMIN):
        try:
            fd = commands.by_id(DOOR, Command.LINK_BY_ID, number)
        except FileNotFoundError as error:
            raise _absent(number) from error
        try:
            commands.link_detach(DOOR, fd)
        except OSError as error:
            if error.errno not in ABSENT:
                raise
            problem = "the kernel detaches no link of this kind but by its end"
            hint = "it ends with what holds it: `skep link` shows that"
            raise BadInput(f"link {number}", problem, hint) from error
        finally:
            DOOR.close(fd)


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
    here = on_cgroups(DOOR, root, paths.items(), kernel) if root else ()
    rows += [
        {"id": None, "kind": one.kind, **_place(one.program, one.target, names, paths)}
        | _holder(one.holder)
        for one in (*on_devices(), *here, *on_events(DOOR))
        if (one.kind, one.program) not in linked
    ]
    return rows


def _holder(one: Holder | None) -> dict[str, Any]:
    """Who holds what is attached without a link."""
    pids, text = ([one.pid], f"{one.comm}[{one.pid}]") if one else ([], "-")
    return {"pids": pids, "pins": [], "holders": text}


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
