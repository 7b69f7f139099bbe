"""The command line: outcomes become exit codes, and commands are imported when they are used."""

import errno
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from skep.base import exits
from skep.base.errors import (
    BadInput,
    CompileError,
    Conflict,
    Forbidden,
    Refused,
    SkepError,
    Unreachable,
    Unsupported,
)
from skep.cli import outcome as command_line
from skep.cli.commands import COMMANDS, Commands


def outcome(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> int:
    """The exit code of a command that does ``act``."""
    command = click.Command("status", callback=act)
    monkeypatch.setattr(Commands, "get_command", lambda *_: command)
    return command_line.outcome(["status"])


def raising(error: BaseException) -> Callable[[], object]:
    def act() -> object:
        raise error

    return act


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadInput("x", "wrong"), 2),
        (Unreachable("x", "gone"), 3),
        (Forbidden("x"), 4),
        (Unsupported("x", "old"), 5),
        (Conflict("x", "pid 1"), 1),
        (CompileError("x"), 1),
        (Refused(400, "pid: 'x' is not a number"), 2),
        (Refused(403, "only root may ask this agent"), 4),
        (Refused(501, "this kernel does not offer it"), 5),
        (Refused(500, "the agent failed to answer"), 1),
    ],
)
def test_an_error_is_text_and_a_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: SkepError,
    code: int,
) -> None:
    assert outcome(monkeypatch, raising(error)) == code
    assert capsys.readouterr().err == f"skep: {error}\n"


INTERRUPTED = """
import os, signal, sys
class Finder:
    @staticmethod
    def find_spec(name, *_):
        if name == "click":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder)
from skep.cli.main import main
main(["--version"])
"""


@pytest.mark.parametrize(("ignoring", "code"), [("", 130), ("trap '' INT;", 0)])
def test_an_interruption_before_everything_is_imported_is_silent(ignoring: str, code: int) -> None:
    line = f'{ignoring} exec "$0" -c "$1"'
    words = ["bash", "-c", line, sys.executable, INTERRUPTED]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, "")
    assert done.stdout.startswith("skep ") is not bool(code)


def test_an_interruption_is_silent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert outcome(monkeypatch, raising(KeyboardInterrupt())) == exits.INTERRUPTED
    assert "Traceback" not in capsys.readouterr().err


def test_a_fault_of_ours_is_shown_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert outcome(monkeypatch, raising(ZeroDivisionError("x"))) == exits.FAILED
    said = capsys.readouterr().err
    assert "ZeroDivisionError: x" in said
    assert "please report" in said


def test_a_command_chooses_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    assert outcome(monkeypatch, lambda: 7) == 7
    assert outcome(monkeypatch, lambda: None) == 0


def test_every_command_exists_and_has_examples() -> None:
    group = command_line.skep
    context = click.Context(group)
    for name in COMMANDS:
        command = group.get_command(context, name)
        assert command is not None
        assert "Examples:" in (command.epilog or "")


def examples() -> list[list[str]]:
    """The commands in the examples of all commands, as a shell takes them apart."""
    group = command_line.skep
    context = click.Context(group)
    found = []
    for name in COMMANDS:
        command = group.get_command(context, name)
        _, _, lines = (command.epilog or "" if command else "").partition("Examples:\n")
        for line in lines.splitlines():
            words = re.search(r"\bskep (?:\S|\s\S)+", line)
            assert words is not None, line
            found.append(shlex.split(re.split(r" [|>] |\)\"", words[0])[0]))
    return found


@pytest.mark.parametrize("words", examples(), ids=" ".join)
def test_an_example_of_a_help_is_taken(words: list[str]) -> None:
    group = command_line.skep
    context = click.Context(group, **group.context_settings)
    name, command, arguments = group.resolve_command(context, words[1:])
    assert command is not None
    with command.make_context(name, arguments, parent=context) as made:
        assert made.params


def test_an_option_that_there_is_not_would_be_told() -> None:
    group = command_line.skep
    context = click.Context(group, **group.context_settings)
    name, command, arguments = group.resolve_command(context, ["prog", "--fro", "5s"])
    assert command is not None
    with pytest.raises(click.NoSuchOption):
        command.make_context(name, arguments, parent=context)


def test_a_reader_that_goes_away_ends_the_command_quietly() -> None:
    line = f"{sys.executable} -m skep.cli completion bash | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert (done.returncode in (exits.DONE, exits.OUTPUT_CLOSED), done.stderr) == (True, "")


def test_a_full_disk_is_told_without_a_traceback() -> None:
    for words in (["--version"], ["completion", "bash"]):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run(
                [sys.executable, "-m", "skep.cli", *words],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        said = "skep: the output cannot be written: No space left on device\n"
        assert (done.returncode, done.stderr) == (exits.FAILED, said)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM])
def test_a_system_that_has_no_more_to_give_is_told_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    why = os.strerror(number)
    assert outcome(monkeypatch, raising(OSError(number, why))) == exits.FAILED
    assert capsys.readouterr().err == f"skep: the system refuses: {why}; see `ulimit -a`\n"


def test_any_other_trouble_of_the_system_is_a_fault_of_ours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert outcome(monkeypatch, raising(OSError(9, "Bad file descriptor"))) == exits.FAILED
    assert "please report" in capsys.readouterr().err


def test_each_exit_code_is_in_the_help_and_in_the_documentation(
    pytestconfig: pytest.Config,
) -> None:
    names = ("DONE", "FAILED", "USAGE", "NO_AGENT", "NO_PRIVILEGE", "UNSUPPORTED", "INTERRUPTED")
    page = (pytestconfig.rootpath / "docs" / "agent.md").read_text()
    section = page.split("## Exit codes")[1].split("##")[0]
    for number in (*(getattr(exits, name) for name in names), exits.OUTPUT_CLOSED):
        assert f"{number} " in section
    for name in names:
        assert f"{getattr(exits, name)} " in exits.HELP


HEAVY = ("asyncio", "json", "llvmlite", "numpy", "skep.api.client", "skep.kernel", "socket")


@pytest.mark.parametrize(
    ("words", "may"),
    [
        (["--version"], set()),
        (["--help"], set()),
        (["up", "--help"], set(HEAVY) - {"numpy", "llvmlite", "asyncio"}),
    ],
)
def test_little_is_imported_for_little(words: list[str], may: set[str]) -> None:
    program = (
        "import sys\nfrom skep.cli.outcome import outcome\n"
        f"outcome({words!r})\nprint(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = set(done.stderr.split()) & set(HEAVY)
    assert loaded <= may


def test_before_an_interruption_is_silent_next_to_nothing_is_imported() -> None:
    """Without what a site's own files import before."""
    code = "import sys\nsys.path[:0] = sys.argv[1:]\nimport skep.cli.main\nprint(*sys.modules)"
    source = str(Path(command_line.__file__).parents[2])
    words = [sys.executable, "-I", "-S", "-c", code, source]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert not {"typing", "click", "re"} & set(done.stdout.split())
