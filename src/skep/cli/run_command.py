"""``skep run``: a user's file, as a program of its own or as programs that are loaded for it."""

import os
import signal

import click

from skep.base import config, exits
from skep.base.errors import BadInput, Forbidden
from skep.base.lazy import lazy
from skep.cli import user_file
from skep.cli.commands import examples
from skep.cli.options import Duration, for_option, json_option
from skep.cli.run_places import Place
from skep.program.interruption import Interruption

programs = lazy("skep.cli.run_programs")  # only files that leave the loading to us need it


@click.command(
    epilog=examples(
        "skep run examples/01_hello.py              until Ctrl-C",
        "skep run --for 10s --json mine.py          its events as JSON lines",
        "skep run --every 1s counts.py              its maps each second, from 0 on",
        "skep run --trace mine.py                   and what its programs print",
        "skep run --device veth0 --netns /run/netns/lab xdp.py",
        "skep run mine.py -- --its own --options",
    ),
    context_settings={"ignore_unknown_options": False},
)
@click.argument("file", type=click.Path(readable=False))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@for_option
@json_option
@click.option(
    "--every", type=Duration(), metavar="DURATION", help="Show maps each time, then empty them."
)
@click.option("--trace", is_flag=True, help="Show what the programs print, too.")
@click.option("--device", default="", metavar="NAME", help="Device of XDP and tc programs.")
@click.option("--netns", default="", metavar="FILE", help="Its namespace, as /run/netns/lab.")
@click.option("--cgroup", default="", metavar="DIR", help="Cgroup of cgroup programs.")
@click.option("--at", default="", metavar="PLACE", help="Route, or place in a binary.")
@click.option("--pid", default=-1, type=int, help="Samples and probes of this process only.")
def command(  # noqa: PLR0913 - a parameter for each option
    *,
    file: str,
    arguments: tuple[str, ...],
    seconds: float | None,
    as_json: bool,
    every: float | None,
    trace: bool,
    device: str,
    netns: str,
    cgroup: str,
    at: str,
    pid: int,
) -> int:
    """Run the programs of FILE in the kernel.

    A file that calls skep.load itself is run as `python FILE` does; when its end has come, a loop over events
    is left, and anything else is interrupted as by Ctrl-C. One that only defines programs has all of them
    loaded and attached; the events of its rings are printed, and its maps at the end; with --every also
    meanwhile, and what a table has counted by then is taken out of it. Nothing stays attached when the
    command ends. A file of a package may import its neighbours, as with `python -m`.
    """
    source = user_file.read(file)
    place = Place(device, netns, cgroup, pid, at)
    if os.geteuid() != 0:
        raise Forbidden("running programs in the kernel")
    if not user_file.has_main(source, file):
        module = user_file.execute(source, file, "__skep_run__", arguments)
        loads = programs.Loads(user_file.require_programs(module, file), user_file.tables(module))
        showing = programs.Showing(seconds, as_json, trace, every)
        return int(programs.run_programs(loads, place, showing))
    if as_json or every or place != Place():
        problem = "the file loads its programs itself: it says what it prints and where it attaches"
        options = "--json, --every, --device, --netns, --cgroup, --at and --pid"
        raise BadInput(file, problem, f"leave {options} away")
    if trace:
        config.trace()
    return _as_program(source, file, arguments, seconds)


def _as_program(source: bytes, file: str, arguments: tuple[str, ...], seconds: float | None) -> int:
    """Execute a file that loads its programs itself, for at most some seconds; the exit code."""
    with Interruption(seconds) as interruption:
        try:
            user_file.execute(source, file, user_file.MAIN, arguments)
        except KeyboardInterrupt:
            if interruption.signal != signal.SIGALRM:
                raise
    stopped = interruption.come and interruption.signal != signal.SIGALRM
    return exits.INTERRUPTED if stopped else exits.DONE
