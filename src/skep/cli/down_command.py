"""``skep down``: end the agent of an instance, and take away what one that was killed has left.

Only what the instance's own record names is touched, never another tool's program.
"""

import json
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict

import click

from skep.agent import instance as instances
from skep.agent import processes
from skep.agent.instance import Cleared, Owned
from skep.agent.processes import Identity
from skep.base import exits
from skep.base.errors import Conflict, Forbidden
from skep.base.frozen import frozen
from skep.base.paths import Paths
from skep.cli.commands import examples
from skep.cli.options import instance_option, json_option
from skep.cli.reach import paths
from skep.kernel import stats

FREED_SECONDS = 3.0
PATIENCE_SECONDS = 15.0


@frozen
class Taken:
    """What came of it: the pid that was ended (0: none ran), what was cleared, programs that remain."""

    pid: int
    cleared: Cleared
    programs: int
    remaining: tuple[str, ...]


@click.command(epilog=examples("skep down", "skep down --instance lab --force"))
@click.option("--force", is_flag=True, help="Kill an agent that does not end in 15 s.")
@json_option
@instance_option
def command(*, force: bool, as_json: bool, instance: str | None) -> int:
    """End the agent, and remove what it left.

    Also after a kill -9. Afterwards no program, map, link or pin of the instance is left; if one is, it
    is named, and the exit code is 1. Where nothing runs and nothing is left, nothing is done.
    """
    if os.geteuid() != 0:
        raise Forbidden("ending the agent")
    where = paths(instance)
    taken = take_down(where, force=force)
    click.echo(json.dumps(asdict(taken)) if as_json else text(where, taken))
    return exits.FAILED if taken.remaining else exits.DONE


def take_down(where: Paths, *, force: bool) -> Taken:
    """End the agent, clear what is left, and look what remains. Conflict where it does not end."""
    agent, owned = instances.holder(where), instances.leftovers(where)
    if agent is not None:
        _end(where, agent, force=force)
    cleared = instances.clear(where)
    instances.forget(where)
    programs = owned.programs if owned else ()
    return Taken(agent.pid if agent else 0, cleared, len(programs), _settled(owned))


def _settled(owned: Owned | None) -> tuple[str, ...]:
    """What remains for longer than the kernel takes to free a program that nobody holds."""
    deadline = time.monotonic() + FREED_SECONDS
    while (remaining := _remaining(owned)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return remaining


def _end(where: Paths, agent: Identity, *, force: bool) -> None:
    processes.kill(agent, signal.SIGTERM, wait=PATIENCE_SECONDS)
    if agent.alive() and force:
        processes.kill(agent, signal.SIGKILL, wait=PATIENCE_SECONDS)
    if agent.alive():
        raise Conflict(
            f"instance {where.instance!r}",
            f"pid {agent.pid}, which does not end; take --force to kill it",
        )


def _remaining(owned: Owned | None) -> tuple[str, ...]:
    """Programs of the record that the kernel still has, and the processes that hold them."""
    if owned is None:
        return ()
    mine = dict(owned.programs)
    left = [one for one in stats.all_programs() if mine.get(one.id) == one.name]
    if not left:
        return ()
    held = [one for one in stats.holders() if one.kind == "prog"]
    return tuple(f"{one.name} (id {one.id}){_holders(one.id, held)}" for one in left)


def _holders(program: int, held: Sequence[stats.Holder]) -> str:
    names = [f"pid {one.pid} ({one.comm})" for one in held if one.id == program]
    return f", held by {', '.join(names)}" if names else ""


def text(where: Paths, taken: Taken) -> str:
    """For people."""
    cleared = taken.cleared
    if not taken.pid and not cleared and not taken.programs:
        return f"nothing to take down: no agent of instance {where.instance!r} runs or has left anything"
    lines = []
    if taken.pid:
        lines.append(f"the agent (pid {taken.pid}) has ended")
    elif taken.programs or cleared:
        lines.append(f"an agent of instance {where.instance!r} had been killed")
    if cleared.processes:
        lines.append(f"ended its processes: {', '.join(map(str, cleared.processes))}")
    if cleared.pins:
        lines.append(f"removed its pins: {', '.join(cleared.pins)}")
    if taken.remaining:
        lines.append("still in the kernel: " + "; ".join(taken.remaining))
    elif taken.programs:
        lines.append(f"of its {taken.programs} programs none is left")
    return "\n".join(lines)
