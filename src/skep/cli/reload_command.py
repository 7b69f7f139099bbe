"""``skep reload``: have the running agent read its configuration again."""

import json

import click

from skep.cli.commands import examples
from skep.cli.options import instance_option, json_option
from skep.cli.reach import client


@click.command(epilog=examples("skep reload"))
@json_option
@instance_option
def command(*, as_json: bool, instance: str | None) -> None:
    """Have the agent read its configuration again.

    A wrong file is refused with its first error, and nothing changes. What needs a new agent is named.
    """
    found = client(instance).reload()
    if as_json:
        click.echo(json.dumps(found))
        return
    changed, waiting = found.get("changed", []), found.get("after_restart", [])
    click.echo(
        f"in force now: {', '.join(changed)}"
        if changed
        else "nothing that a running agent takes up has changed"
    )
    if waiting:
        click.echo(f"in force when the agent is started again: {', '.join(waiting)}")
