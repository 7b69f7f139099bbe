"""The completion scripts of shells that a machine may lack: sourced, and a command completed."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools import debian

pytestmark = pytest.mark.native("runs shells of Debian packages")
ZSH = """
fpath=($1/usr/share/zsh/functions/*(/))
module_path=($1/usr/lib/*/zsh/*(/))
autoload -Uz compinit && compinit -u -D || exit 8
source $2 || exit 9
print -r -- $_comps[skep]
_arguments() {}
compadd() { print -rl -- "$@" }
_describe() { print -rl -- ${(P)${@[-2]}} ${(P)${@[-1]}} }
words=(skep stat) CURRENT=2
$_comps[skep]
"""
FISH = 'source $argv[1]; or exit 9; complete -C "skep stat"; complete -C "skep completion f"'


@pytest.fixture(name="shells")
def unpacked() -> dict[str, Path]:
    try:
        return dict(zip(("zsh", "fish"), debian.fetch(["zsh", "fish"]), strict=True))
    except debian.Unavailable as reason:
        return pytest.skip(f"Debian packages: {reason}")


@pytest.fixture(name="folder")
def folder_with_skep(tmp_path: Path) -> Path:
    command = tmp_path / "skep"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m skep.cli "$@"\n')
    command.chmod(0o755)
    for shell in ("zsh", "fish"):
        done = subprocess.run([command, "completion", shell], capture_output=True, check=True)
        (tmp_path / f"completion.{shell}").write_bytes(done.stdout)
    return tmp_path


def run(folder: Path, *words: str) -> list[str]:
    env = {"PATH": f"{folder}:/usr/bin:/bin", "HOME": str(folder)}
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_a_command_is_completed_in_fish(shells: dict[str, Path], folder: Path) -> None:
    script = str(folder / "completion.fish")
    lines = run(folder, str(shells["fish"] / "run/fish"), "--no-config", "-c", FISH, script)
    assert [line.split("\t")[0] for line in lines] == ["status", "fish"]


def test_a_command_is_completed_in_zsh(shells: dict[str, Path], folder: Path) -> None:
    script = str(folder / "completion.zsh")
    zsh = str(shells["zsh"] / "run/zsh")
    name, *offered = run(folder, zsh, "-f", "-c", ZSH, "zsh", str(shells["zsh"]), script)
    assert name == "_skep_completion"
    assert any(line.startswith("status") for line in offered)
