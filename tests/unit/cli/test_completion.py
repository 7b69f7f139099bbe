"""The completion script, in the shell that it is for: bash here, others where their packages are unpacked."""

import subprocess
import sys
from pathlib import Path

import pytest

from skep.cli.commands import COMMANDS
from skep.cli.outcome import outcome

BASH = """
source "$SCRIPT" || exit 9
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
handler=$(complete -p skep | sed 's/.*-F \\([^ ]*\\).*/\\1/')
"$handler" skep "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert outcome(["completion", shell]) == 0
    return capsys.readouterr().out


@pytest.fixture(name="where")
def bash_with_skep(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A folder with the script, and a ``skep`` to be found."""
    command = tmp_path / "skep"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m skep.cli "$@"\n')
    command.chmod(0o755)
    (tmp_path / "completion.bash").write_text(script("bash", capsys))
    return tmp_path


def completed(where: Path, *words: str) -> list[str]:
    """What bash offers for the last of ``words``."""
    env = {"PATH": f"{where}:/usr/bin:/bin", "SCRIPT": str(where / "completion.bash")}
    done = subprocess.run(
        ["bash", "--norc", "-c", BASH, "bash", *words],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_the_script_is_bash_without_a_mistake(where: Path) -> None:
    done = subprocess.run(
        ["bash", "-n", str(where / "completion.bash")], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_commands_options_and_choices_are_completed_in_bash(where: Path) -> None:
    assert completed(where, "skep", "stat") == ["status"]
    assert completed(where, "skep", "") == list(COMMANDS)
    assert completed(where, "skep", "events", "--fol") == ["--follow"]
    assert completed(where, "skep", "completion", "") == ["bash", "zsh", "fish"]
    assert completed(where, "skep", "up", "--only", "ex") == ["exec", "exit"]
    assert completed(where, "skep", "events", "--kind", "drop,c") == ["drop,connect", "drop,close"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_there_is_a_script_for_each_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"_SKEP_COMPLETE={shell}_complete" in script(shell, capsys)
