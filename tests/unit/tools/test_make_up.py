"""`make up` ends as `skep up` does: Ctrl-C is no failure, and a failure is one."""

import signal
import subprocess
from pathlib import Path

import pytest

MADE = ("venv/bin/python", "stamps/install", "stamps/bytecode")


def make_up(folder: Path, script: str) -> "subprocess.CompletedProcess[str]":
    """What comes of `make up` where skep is ``script``, and all that it needs is made."""
    for name in MADE:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    skep = folder / "venv/bin/skep"
    skep.write_text(f"#!/bin/sh\n{script}\n")
    skep.chmod(0o755)
    words = ["make", "--no-print-directory", "up", f"VENV={folder}/venv", f"STAMPS={folder}/stamps"]
    return subprocess.run(
        words, capture_output=True, text=True, check=False, start_new_session=True
    )


@pytest.mark.parametrize("code", [0, 130])
def test_an_interruption_is_told_by_no_error(tmp_path: Path, code: int) -> None:
    """Of the whole group, as by the terminal."""
    done = make_up(tmp_path, f"trap 'echo summary; exit {code}' INT; kill -INT 0; exit 1")
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "summary\n", "")


@pytest.mark.parametrize(("code", "made"), [(0, 0), (1, 2), (4, 2)])
def test_a_failure_is_one(tmp_path: Path, code: int, made: int) -> None:
    done = make_up(tmp_path, f"exit {code}")
    assert (done.returncode, f"Error {code}" in done.stderr) == (made, code > 0)
