"""The bench of the node: what it counts, and what it makes of rates."""

import subprocess
from pathlib import Path

import pytest

from bench._generate import NAME, run_tiny, static_program
from bench.node import Pair, compare, kept

LINES = f"""\
{{"time":"t","kind":"fork","seq":1,"pid":9,"ppid":5,"comm":"python"}}
{{"time":"t","kind":"fork","seq":2,"pid":8,"ppid":55,"comm":"python"}}
{{"time":"t","kind":"exec","seq":3,"pid":9,"ppid":5,"comm":"{NAME}","args":["true"]}}
{{"time":"t","kind":"exec","seq":4,"pid":8,"ppid":55,"comm":"other","filename":"/{NAME}"}}
{{"time":"t","kind":"exit","seq":5,"pid":9,"ppid":5,"comm":"{NAME}","code":0}}
{{"time":"t","kind":"connect","seq":1,"pid":6,"ppid":1,"comm":"python"}}
{{"time":"t","kind":"connect","seq":2,"pid":66,"ppid":1,"comm":"python"}}
"""


@pytest.mark.parametrize("loop", ["exec", "tiny"])
def test_calls_are_compared_with_the_events_of_their_generators(tmp_path: Path, loop: str) -> None:
    events = tmp_path / "events"
    events.write_text(LINES)
    done = [{"kind": loop, "pid": 5, "done": 2}, {"kind": "connect", "pid": 6, "done": 3}]
    assert compare(events, done) == {
        "exec": (2, 1),
        "fork": (2, 1),
        "exit": (2, 1),
        "connect": (3, 1),
    }


def test_the_median_of_the_pairs_counts(capsys: pytest.CaptureFixture[str]) -> None:
    measured = [Pair(1000.0, 100.0), Pair(1000.0, 900.0), Pair(2000.0, 1900.0)]
    assert kept(measured, "busybox") == 0.9
    assert "busybox:  2,000 exec/s without,  1,900 with the agent" in capsys.readouterr().out


def test_the_smallest_program_runs(tmp_path: Path) -> None:
    program = tmp_path / "smallest"
    program.write_bytes(static_program())
    program.chmod(0o700)
    assert subprocess.run([program], check=False).returncode == 0
    assert run_tiny(0.01, 0, "") > 0
