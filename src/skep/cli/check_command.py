"""``skep check``: a file's programs, compiled and verified, attached to nothing."""

import json
import sys
from dataclasses import asdict

import click

from skep.base.units import count_text
from skep.cli import terminal, user_file
from skep.cli.commands import examples
from skep.cli.options import json_option
from skep.cli.table import table
from skep.cli.verdict import Verdict, verdict
from skep.program.live import Live
from skep.program.machine import Machine
from skep.program.objects import compiled

MODULE = "__skep_check__"
HEAD = ("program", "kind", "hook", "instructions", "processed", "states", "peak", "stack")
RIGHT = "instructions,processed,states,peak,stack"


@click.command(epilog=examples("skep check examples/01_hello.py", "skep check --json mine.py"))
@click.argument("file", type=click.Path(readable=False))
@json_option
def command(*, file: str, as_json: bool) -> None:
    """Compile and verify the programs of FILE, and attach nothing.

    Shows for each its instructions, how many the verifier processed in how many states, and its stack
    in bytes (512 are the most). What is wrong is shown with your lines, and the exit code is 1.
    """
    source = user_file.read(file)
    user_file.has_main(source, file)
    programs = user_file.require_programs(user_file.execute(source, file, MODULE), file)
    machine = Machine()
    verdicts: list[Verdict] = []
    with Live(machine) as live:
        for program, made in zip(programs, compiled(programs, machine), strict=True):
            verdicts.append(verdict(live.add(program, made)))
    if as_json:
        click.echo(json.dumps({"programs": [asdict(one) for one in verdicts]}, indent=2))
        return
    sys.stdout.write(table(HEAD, [_row(one) for one in verdicts], terminal.of(sys.stdout), RIGHT))


def _row(one: Verdict) -> tuple[str, ...]:
    numbers = (one.instructions, one.processed, one.states, one.peak_states)
    return one.name, one.kind, one.hook or "-", *map(count_text, numbers), f"{one.stack} B"
