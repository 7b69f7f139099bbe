"""``skep run``: a user's file, as a program of its own or as programs that are loaded for it."""

import os
import signal
import sys
from types import FrameType

import click

from skep.base import exits
from skep.base.errors import BadInput, Forbidden
from skep.cli import user_file
from skep.cli.commands import examples
from skep.cli.options import for_option, json_option
from skep.cli.run_programs import Loads, Place, run_programs

MAIN = "__main__"


class TimeUp(BaseException):
    """The time that was given is over. No Exception: a file's handlers are not meant for it."""


@click.command(
    epilog=examples(
        "skep run examples/01_hello.py              until Ctrl-C",
        "skep run --for 10s --json mine.py          its events as JSON lines",
        "skep run --device veth0 --netns /run/netns/lab xdp.py",
        "skep run mine.py -- --its own --options",
    ),
    context_settings={"ignore_unknown_options": False},
)
@click.argument("file", type=click.Path(readable=False))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@for_option
@json_option
@click.option("--device", default="", metavar="NAME", help="Device of XDP and tc programs.")
@click.option("--netns", default="", metavar="FILE", help="Its namespace, as /run/netns/lab.")
@click.option("--cgroup", default="", metavar="DIR", help="Cgroup of cgroup programs.")
@click.option("--pid", default=-1, type=int, help="Samples and probes of this process only.")
def command(  # noqa: PLR0913 - a parameter for each option
    *,
    file: str,
    arguments: tuple[str, ...],
    seconds: float | None,
    as_json: bool,
    device: str,
    netns: str,
    cgroup: str,
    pid: int,
) -> int:
    """Run the programs of FILE in the kernel.

    A file that calls skep.load itself is run as `python FILE` does. One that only defines programs has all
    of them loaded and attached; the events of its rings are printed, and its maps at the end. Nothing stays
    attached when the command ends.
    """
    source = user_file.read(file)
    place = Place(device, netns, cgroup, pid)
    if os.geteuid() != 0:
        raise Forbidden("running programs in the kernel")
    if not user_file.has_main(source, file):
        module = user_file.execute(source, file, "__skep_run__")
        loads = Loads(user_file.require_programs(module, file), user_file.tables(module))
        return run_programs(loads, place, seconds, as_json=as_json)
    if as_json or place != Place():
        problem = "the file loads its programs itself: it says what it prints and where it attaches"
        raise BadInput(file, problem, "leave --json, --device, --netns, --cgroup and --pid away")
    sys.argv = [file, *arguments]
    try:
        _limit(seconds)
        user_file.execute(source, file, MAIN)
    except TimeUp:
        return exits.DONE
    return exits.DONE


def _limit(seconds: float | None) -> None:
    """Have TimeUp raised after some time, and KeyboardInterrupt at SIGTERM: the file's `with` blocks end."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if seconds is not None:
        signal.signal(signal.SIGALRM, _time_up)
        signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-6))


def _time_up(_: int, __: FrameType | None) -> None:
    raise TimeUp
