"""A bench on a machine that does not let it measure: one line that says so."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.native("benches do not run in guests")

ROOT = Path(__file__).parents[3]
WITHOUT = ("setpriv", "--inh-caps=-all", "--bounding-set=-all")


def test_without_capabilities_a_bench_says_that_it_cannot_measure() -> None:
    command = [*WITHOUT, sys.executable, "-m", "bench", "syscalls", "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    last = done.stderr.splitlines()[-1]
    assert re.match(r"bench: syscalls cannot measure here: .* needs CAP_\w+; run it as root", last)
    assert "Traceback" not in done.stderr
    assert (done.returncode, done.stdout) == (1, "")
