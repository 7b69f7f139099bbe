"""``skep events``: events of the agent that runs, stored ones and those to come."""

import os
import sys

import click

from skep.api.query import (
    LARGEST_PID,
    LARGEST_PORT,
    MOST,
    Query,
    parse_address,
)
from skep.base import exits
from skep.base.errors import BadInput
from skep.cli import stream, terminal, unseen
from skep.cli.commands import examples
from skep.cli.ending import Ending
from skep.cli.options import Number, for_option, instance_option, json_option, told
from skep.cli.reach import ALL_KINDS, Kinds, client
from skep.cli.since import Since
from skep.events.shown import readable

USUAL = 100


class Address(click.ParamType[str]):
    """An address or a network of them."""

    name = "address"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """As a query has it."""
        try:
            return parse_address("address", str(value))[0]
        except BadInput as error:
            self.fail(told(error), param, ctx)


class Name(click.ParamType[str]):
    r"""A name as events have it: a byte that is not UTF-8 reads ``\xNN``, also where it was given as that byte."""

    name = "text"

    def convert(
        self,
        value: object,
        param: click.Parameter | None,  # noqa: ARG002 - click's signature
        ctx: click.Context | None,  # noqa: ARG002 - click's signature
    ) -> str:
        """As a query has it."""
        return readable(os.fsencode(str(value)))


@click.command(
    epilog=examples(
        "skep events                                the newest 100",
        "skep events --follow --kind exec           as programs start",
        "skep events --since 10m --comm 'nginx*'    what nginx did in ten minutes",
        "skep events --since '2026-01-31 23:50'     since then, in this machine's time",
        "skep events --since 08:10 --until 08:15    what happened in those five minutes",
        "skep events --pod shop/web-1 --json        of one pod, as JSON lines",
        "skep events --pod 'shop/*' --kind drop     what was dropped of a namespace's pods",
        "skep events -f --port 5432 --user app      who speaks to the database as app",
    )
)
@click.option("-f", "--follow", is_flag=True, help="Go on with the events to come.")
@click.option("-n", "--last", type=Number(0, MOST), help="The newest N that are stored.")
@click.option("--since", type=Since(), help="Stored ones since: 10m, 08:00, yesterday.")
@click.option("--until", type=Since(), help="Stored ones until then, written as for --since.")
@click.option(
    "-k", "--kind", "kinds", type=Kinds(), default=frozenset(), help=f"Of kinds: {ALL_KINDS}."
)
@click.option(
    "-p",
    "--pid",
    "pids",
    type=Number(0, LARGEST_PID),
    multiple=True,
    help="Of a process.",
)
@click.option("-c", "--comm", "comms", type=Name(), multiple=True, help="Of a process name.")
@click.option(
    "--container",
    "containers",
    type=Name(),
    multiple=True,
    help="Of a container: name, id, prefix.",
)
@click.option("--pod", "pods", type=Name(), multiple=True, help="Of a pod: name or namespace/name.")
@click.option("-u", "--user", "users", type=Name(), multiple=True, help="Of a user, by its name.")
@click.option(
    "--address",
    "addresses",
    type=Address(),
    multiple=True,
    help="With an end there: 10.0.0.1, 10.0.0.0/8.",
)
@click.option(
    "--port",
    "ports",
    type=Number(0, LARGEST_PORT),
    multiple=True,
    help="With an end at this port.",
)
@for_option
@json_option
@instance_option
def command(  # noqa: PLR0913 - a parameter for each option
    *,
    follow: bool,
    last: int | None,
    since: int | None,
    until: int | None,
    seconds: float | None,
    as_json: bool,
    instance: str | None,
    kinds: frozenset[str],
    pids: tuple[int, ...],
    comms: tuple[str, ...],
    containers: tuple[str, ...],
    pods: tuple[str, ...],
    users: tuple[str, ...],
    addresses: tuple[str, ...],
    ports: tuple[int, ...],
) -> int:
    """Show events of the running agent.

    Options of one name are alternatives, those of different names must all fit. In names of processes,
    containers and pods * matches anything. Without --follow, --last and --since the newest 100 that fit
    are shown. Times are of this machine's zone.
    """
    if not follow and last is None and since is None:
        last = USUAL
    choice = Query(
        kinds,
        frozenset(pids),
        comms,
        containers,
        pods,
        users,
        addresses,
        frozenset(ports),
        follow=follow,
        last=last,
        since=since,
        until=until,
    )
    with Ending(seconds) as ending:
        agent, screen = client(instance), None if as_json else terminal.of(sys.stdout)
        if follow and screen:
            _aside(unseen.uncollected(agent, choice))
        some = stream.show(agent, choice, ending, screen)
        if screen and not (some or follow or ending.come):
            _aside(unseen.nothing(agent, choice))
    return exits.INTERRUPTED if ending.signal > 0 else exits.DONE


def _aside(text: str) -> None:
    if text:
        click.echo(f"skep: {text}", err=True)
