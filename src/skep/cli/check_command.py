"""``skep check``: a file's programs, compiled and verified, attached to nothing."""

import json
import sys
from dataclasses import asdict

import click

from skep.base import exits
from skep.base.errors import CompileError, SkepError, VerifierError
from skep.base.units import count_text
from skep.cli import terminal, user_file
from skep.cli.commands import examples
from skep.cli.options import json_option
from skep.cli.table import table
from skep.cli.verdict import Verdict, verdict
from skep.lang.finish import Compiled
from skep.lang.programs import Program
from skep.program.live import Live
from skep.program.machine import Machine
from skep.program.objects import compiled

MODULE = "__skep_check__"
HEAD = ("program", "kind", "hook", "instructions", "processed", "states", "peak", "stack")
RIGHT = "instructions,processed,states,peak,stack"


@click.command(epilog=examples("skep check examples/01_hello.py", "skep check --json mine.py"))
@click.argument("file", type=click.Path(readable=False))
@json_option
def command(*, file: str, as_json: bool) -> int:
    """Compile and verify the programs of FILE, and attach nothing.

    Shows for each its instructions, how many the verifier processed in how many states, and its stack
    in bytes (512 are the most). What is wrong is shown with your lines, and the exit code is 1; the other
    programs are checked all the same.
    """
    source = user_file.read(file)
    user_file.has_main(source, file)
    programs = user_file.require_programs(user_file.execute(source, file, MODULE), file)
    found = _checked(programs, Machine())
    verdicts = [one for _, one in found if isinstance(one, Verdict)]
    errors = {name: one for name, one in found if isinstance(one, SkepError)}
    if as_json:
        wrong = [{"name": name, "error": str(error)} for name, error in errors.items()]
        shown = {"programs": [asdict(one) for one in verdicts], "errors": wrong}
        click.echo(json.dumps(shown, indent=2))
    elif verdicts:
        rows = [_row(one) for one in verdicts]
        sys.stdout.write(table(HEAD, rows, terminal.of(sys.stdout), RIGHT))
    for name, error in errors.items():
        where = "" if isinstance(error, CompileError | VerifierError) else f"{name}: "
        click.echo(f"skep: {where}{error}", err=True)
    return next((exits.code(error) for error in errors.values()), exits.DONE)


def _checked(programs: list[Program], machine: Machine) -> list[tuple[str, Verdict | SkepError]]:
    """Each program's name, and its verdict or what is wrong with it."""
    found = []
    with Live(machine) as live:
        done = _compiled(programs, machine)
        right = iter(live.share([made for made in done if isinstance(made, Compiled)]))
        ready = [next(right) if isinstance(made, Compiled) else made for made in done]
        for program, made in zip(programs, ready, strict=True):
            found.append(
                (
                    program.name,
                    made if isinstance(made, SkepError) else _loaded(live, program, made),
                )
            )
    return found


def _compiled(programs: list[Program], machine: Machine) -> list[Compiled | SkepError]:
    """The programs compiled, all at once; one by one where one of them is wrong."""
    try:
        return [*compiled(programs, machine)]
    except SkepError:
        return [_alone(program, machine) for program in programs]


def _alone(program: Program, machine: Machine) -> Compiled | SkepError:
    try:
        return compiled([program], machine)[0]
    except SkepError as error:
        return error


def _loaded(live: Live, program: Program, made: Compiled) -> Verdict | SkepError:
    try:
        return verdict(live.add(program, made))
    except SkepError as error:
        return error


def _row(one: Verdict) -> tuple[str, ...]:
    numbers = (one.instructions, one.processed, one.states, one.peak_states)
    return one.name, one.kind, one.hook or "-", *map(count_text, numbers), f"{one.stack} B"
