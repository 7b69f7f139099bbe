"""One command of the command line is run, and its outcome becomes an exit code.

Errors are printed as text without a traceback; a fault of skep itself (any other exception) shows one, and asks for a
report. Nothing here knows what a command does.
"""

import errno
import os
import sys

import click

from skep.api.version import VERSION
from skep.base import exits
from skep.base.errors import SkepError
from skep.base.lazy import lazy
from skep.cli.commands import Commands

traceback = lazy("traceback")  # only a fault needs it

OUTPUT_TAKES_NO_MORE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
MEANS_ARE_SHORT = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)
"""Of descriptors, processes or memory there are no more: `ulimit -a`."""


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="\b\n" + exits.HELP,
)
@click.version_option(VERSION, "-V", "--version", message="skep %(version)s")
def skep() -> None:
    """Make this node's kernel programmable from Python, and see what happens on it."""


def outcome(arguments: list[str] | None = None) -> int:
    """Run the command line; its exit code."""
    output = sys.stdout
    try:
        returned = skep.main(arguments, prog_name="skep", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return exits.INTERRUPTED
    except SkepError as error:
        click.echo(f"skep: {error}", err=True)
        return exits.code(error)
    except OSError as error:
        return _refused(error)
    except SystemExit:
        if sys.stdout is output:  # a user's file exits; click replaces an output that was closed
            raise
        return exits.OUTPUT_CLOSED
    except Exception:  # noqa: BLE001 - whatever it is, it gets an exit code
        return _fault()
    return returned if isinstance(returned, int) else exits.DONE


def _refused(error: OSError) -> int:
    """The output takes no more (nobody reads it, or its disk is full), or the system has no more to give."""
    if isinstance(error, BrokenPipeError):
        _forget_output()
        return exits.OUTPUT_CLOSED
    if error.errno in MEANS_ARE_SHORT:
        click.echo(f"skep: the system refuses: {error.strerror}; see `ulimit -a`", err=True)
        return exits.FAILED
    if error.errno not in OUTPUT_TAKES_NO_MORE:
        return _fault()
    _forget_output()
    click.echo(f"skep: the output cannot be written: {error.strerror}", err=True)
    return exits.FAILED


def _fault() -> int:
    """Show the exception that is being handled, which no error of ours is."""
    traceback.print_exc()
    click.echo("skep: this is a fault of skep; please report the lines above", err=True)
    return exits.FAILED


def _forget_output() -> None:
    """Keep the interpreter from flushing into a pipe that nobody reads."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
