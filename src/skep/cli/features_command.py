"""``skep features``: what this kernel offers, asked of it. Needs no agent."""

import json
import sys
from collections.abc import Iterable

import click

from skep.cli import terminal
from skep.cli.commands import examples
from skep.cli.options import json_option
from skep.cli.screens import STATE_STYLES
from skep.cli.table import Cell, table
from skep.cli.terminal import Terminal
from skep.kernel.probes import Probe, probe_all
from skep.program.machine import Machine


@click.command(epilog=examples("skep features", "skep features --absent", "skep features --json"))
@click.option("--absent", is_flag=True, help="Only what cannot be used, and what is used instead.")
@json_option
def command(*, absent: bool, as_json: bool) -> None:
    """Show what this kernel offers.

    Each feature is probed by loading or making the smallest thing that needs it; nothing stays. SINCE is
    the upstream release that it came in.
    """
    probes = [probe for probe in probe_all(Machine().btf).values() if not (absent and probe.on)]
    if as_json:
        click.echo(json.dumps({"features": [probe.as_dict() for probe in probes]}, indent=2))
        return
    sys.stdout.write(text(probes, terminal.of(sys.stdout)))


def text(probes: Iterable[Probe], shown: Terminal) -> str:
    """For people: a line for each."""
    return table(("feature", "state", "since", "why", "instead"), list(_rows(probes)), shown)


def _rows(probes: Iterable[Probe]) -> Iterable[tuple[str | Cell, ...]]:
    for probe in probes:
        state = Cell(probe.state.value, STATE_STYLES[probe.state.value])
        yield probe.name, state, probe.since, probe.why, "" if probe.on else probe.instead
