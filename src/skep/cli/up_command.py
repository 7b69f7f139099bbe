"""``skep up``: the agent as a child, the table of what it turned on, the node live, and a summary at the end."""

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TextIO

import click

from skep.agent import privileges
from skep.agent.order import Order
from skep.api.client import Client, Cut
from skep.api.query import Query
from skep.base import exits
from skep.base.errors import Busy, Forbidden, SkepError, Unreachable
from skep.cli import screens, stream, terminal
from skep.cli.agent_process import AgentProcess, NotStarted
from skep.cli.commands import examples
from skep.cli.ending import Ending
from skep.cli.event_text import EventText
from skep.cli.options import for_option, instance_option, json_option
from skep.cli.reach import ALL_KINDS, Kinds, paths
from skep.cli.terminal import Terminal
from skep.cli.watch import Watch


@click.command(
    epilog=examples(
        "skep up                        until Ctrl-C, then a summary",
        "skep up --for 10s --json       ten seconds as JSON lines",
        "skep up --only exec,connect    these kinds of events alone",
    )
)
@for_option
@json_option
@click.option("--only", type=Kinds(), default=frozenset(), help=f"Kinds of events: {ALL_KINDS}.")
@instance_option
@click.option("--config", metavar="FILE", default="", help="Configuration, instead of the usual.")
def command(
    *, seconds: float | None, as_json: bool, only: frozenset[str], instance: str | None, config: str
) -> int:
    """Start the agent and show this node, live.

    Prints what was turned on, what this kernel refuses and what is used instead; then an event a line:
    processes, connections, dropped packets, and who did it. The agent ends with this command.

    With --json, events alone go to the output; everything else goes to the error output.
    """
    where = paths(instance, config)
    if os.geteuid() != 0:
        raise Forbidden("watching this node")
    order = Order(where.instance, config, tuple(sorted(only)))
    progress = terminal.Progress()
    # One ending for all: a signal that comes between two steps is seen by the next.
    with Ending() as ending, AgentProcess(order) as agent:
        privileges.face()
        try:
            ready = agent.wait_ready(progress.show, ending, _late(agent, progress))
        except NotStarted as error:
            progress.clear()
            _tell(str(error))
            return exits.NAMED.get(error.name, exits.FAILED)
        progress.clear()
        if not ready:
            return exits.DONE
        ending.limit(seconds)
        with Watch(agent, _tell):
            return _live(Client(where.agent_socket), ending, only, as_json=as_json)


def _late(agent: AgentProcess, progress: terminal.Progress) -> Callable[[float], None]:
    """What is told of a start that takes long."""

    def late(seconds: float) -> None:
        doing = progress.text or "begins"
        progress.clear()
        _tell(
            f"the agent (pid {agent.pid}) has said nothing for {seconds:g} s ({doing}); Ctrl-C ends it"
        )

    return late


def _tell(text: str) -> None:
    click.echo(f"skep: {text}", err=True)


def _live(client: Client, ending: Ending, only: frozenset[str], *, as_json: bool) -> int:
    """Show the agent until the end; raises Cut where the agent ends before."""
    aside = sys.stderr if as_json else sys.stdout
    screen = terminal.of(aside)
    try:
        _begin(client.status(), screen, aside)
        if not as_json:
            print(EventText(screen).head(), flush=True)
        stream.show(client, Query(kinds=only, follow=True), ending, None if as_json else screen)
    except Busy:
        raise
    except Unreachable as error:
        raise Cut from error
    with suppress(SkepError):
        text = screens.summary(client.summary(), terminal.of(aside))
        print("\n" + text, end="", file=aside, flush=True)
    return exits.DONE


def _begin(status: Mapping[str, Any], screen: Terminal, aside: TextIO) -> None:
    """What was turned on, and what is not as it should be."""
    print(screens.powers(status, screen), file=aside)
    print(screens.warnings(status, screen), file=aside, end="")
