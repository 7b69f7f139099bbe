"""``skep status``: what the running agent does, and what it costs."""

import json
import sys

import click

from skep.cli import screens, terminal
from skep.cli.commands import examples
from skep.cli.options import instance_option, json_option
from skep.cli.reach import client


@click.command(epilog=examples("skep status", "skep status --json | jq .losses"))
@json_option
@instance_option
def command(*, as_json: bool, instance: str | None) -> None:
    """Show what the running agent does, and what it costs."""
    found = client(instance).status()
    text = (
        json.dumps(found, indent=2) + "\n"
        if as_json
        else screens.status(found, terminal.of(sys.stdout))
    )
    sys.stdout.write(text)
