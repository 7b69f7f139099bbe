"""Screens of the command line, at fixed widths and without a clock.

``python -m tests.golden.cli.screens`` writes them.
"""

import json
from collections.abc import Callable, Iterator
from datetime import UTC
from pathlib import Path

import click
from click.testing import CliRunner

from skep.base.errors import SkepError
from skep.cli import exits, screens
from skep.cli.commands import COMMANDS
from skep.cli.event_text import EventText
from skep.cli.main import skep
from skep.cli.terminal import Terminal

FOLDER = Path(__file__).parent
NOWHERE = "--instance=golden-nobody"


def run(*words: str) -> str:
    """What a command line prints, and its exit code; 80 columns wide."""
    result = CliRunner().invoke(skep, words, prog_name="skep", terminal_width=80)
    text, code = result.output, result.exit_code
    error = result.exception
    if isinstance(error, SkepError):
        text, code = f"{text}skep: {error}\n", exits.code(error)
    elif error is not None and not isinstance(error, SystemExit | click.ClickException):
        raise error
    return f"$ skep {' '.join(words)}\n{text}exit code {code}\n"


def helps() -> str:
    """Help of everything."""
    return "\n".join([run("--help"), *(run(name, "--help") for name in COMMANDS)])


def errors() -> str:
    """What is said to wrong words."""
    lines = (
        ("--version",),
        ("upp",),
        ("up", "--for", "soon"),
        ("up", "--only", "exce"),
        ("up", "--instance", "No_Name"),
        ("events", "--since", "yesterday"),
        ("events", "--last", "-1"),
        ("events", "--nothing"),
        ("completion", "tcsh"),
        ("status", NOWHERE),
        ("events", NOWHERE),
        ("reload", NOWHERE),
        ("run",),
        ("run", "/no/such/file.py"),
        ("check", str(FOLDER.relative_to(Path.cwd()) / "status.json")),
    )
    return "\n".join(run(*words) for words in lines)


def _read(name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads((FOLDER / name).read_text())
    return found


def status() -> str:
    """`skep status` of an agent that had refusals, losses and a warning."""
    return screens.status(_read("status.json"), Terminal(100))


def powers() -> str:
    """What `skep up` begins with, narrow and in colours."""
    return screens.powers(_read("status.json"), Terminal(60, colours=True)).replace("\x1b", "␛")


def summary() -> str:
    """What `skep up` ends with."""
    return screens.summary(_read("summary.json"), Terminal(80))


def events() -> str:
    """Events of every kind, at several widths."""
    lines = (FOLDER / "events.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    parts = []
    for width in (80, 120, 0):
        text = EventText(Terminal(width), lambda moment: moment.astimezone(UTC))
        shown = [text.head(), *map(text.line, found)]
        parts.append(f"{width or 'any'} columns\n" + "\n".join(shown) + "\n")
    return "\n".join(parts)


SCREENS: dict[str, Callable[[], str]] = {
    "help": helps,
    "errors": errors,
    "status": status,
    "powers": powers,
    "summary": summary,
    "events": events,
}


def written() -> Iterator[tuple[Path, str]]:
    """Each file, and what it is to hold."""
    for name, make in SCREENS.items():
        yield FOLDER / f"{name}.txt", make()


if __name__ == "__main__":
    for file, text in written():
        file.write_text(text)
