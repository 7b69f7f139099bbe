"""``skep agent``: the agent alone, in the place of this process, as a service manager runs it."""

import os

import click

from skep.agent.order import Order
from skep.cli.commands import examples
from skep.cli.options import instance_option
from skep.cli.reach import ALL_KINDS, Kinds, paths


@click.command(epilog=examples("skep agent", "skep agent --instance lab --only exec,exit"))
@click.option("--only", type=Kinds(), default=frozenset(), help=f"Kinds of events: {ALL_KINDS}.")
@instance_option
@click.option("--config", metavar="FILE", default="", help="Configuration, instead of the usual.")
def command(*, only: frozenset[str], instance: str | None, config: str) -> None:
    """Run the agent alone, until it is told to stop: as a service does.

    It tells systemd (Type=notify) when it is ready. Look at it with `skep status` and `skep events`.
    """
    order = Order(paths(instance, config).instance, config, tuple(sorted(only)))
    words = order.command()
    os.execv(words[0], words)  # noqa: S606 - our own module, no shell
