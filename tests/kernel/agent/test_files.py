"""``skep run`` and ``skep check`` on files as users write them."""

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from skep.kernel import stats
from tests.kernel.agent.conftest import SKEP, skep, wait_for

pytestmark = [
    pytest.mark.requires("prog.tp_btf", "map.ringbuf", "btf.vmlinux"),
    pytest.mark.native("compiles"),
]

DEFINES = """
import skep

class Started(skep.Record):
    pid: skep.u32
    comm: skep.char[16]

ring = skep.Ring(Started)
counts = skep.Hash(skep.u32, skep.u64, 1024)

@skep.tp_btf("sched_process_exec")
def on_started(task, old_pid, bprm):
    counts[task.tgid] = 5
    event = ring.reserve()
    if event is None:
        return
    event.pid = task.tgid
    event.comm = task.comm
    event.submit()
"""

MAIN = (
    DEFINES
    + """
if __name__ == "__main__":
    with skep.load(on_started) as live:
        print("attached", flush=True)
        for event in live[ring]:
            print(event.comm, flush=True)
"""
)

XDP = """
import skep

@skep.xdp
def pass_all(context):
    return 2
"""


@pytest.fixture(name="file")
def user_file(tmp_path: Path) -> Path:
    return tmp_path / "mine.py"


def start(file: Path, *options: str) -> "subprocess.Popen[str]":
    words = [*SKEP, "run", *options, str(file)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def until_attached(name: str) -> None:
    wait_for(lambda: any(one.name == name for one in stats.all_programs()), f"{name} is loaded")


def is_gone(name: str) -> None:
    """The kernel frees a program a moment after its last descriptor."""
    wait_for(lambda: all(one.name != name for one in stats.all_programs()), f"{name} is gone")


def test_a_file_that_only_defines_has_its_events_printed_and_its_maps_at_the_end(
    file: Path,
) -> None:
    file.write_text(DEFINES)
    running = start(file)
    until_attached("on_started")
    time.sleep(0.2)
    subprocess.run(["/bin/true"], check=True)
    time.sleep(0.2)
    running.send_signal(signal.SIGINT)
    output, errors = running.communicate(timeout=60)
    assert (running.returncode, errors) == (130, "attached on_started\n")
    assert "comm=true" in output
    assert "counts:\n" in output
    assert ": 5\n" in output
    is_gone("on_started")


def test_its_events_are_json_lines_when_asked(file: Path) -> None:
    file.write_text(DEFINES)
    running = start(file, "--json", "--for", "3s")
    until_attached("on_started")
    time.sleep(0.2)
    subprocess.run(["/bin/true"], check=True)
    output, _ = running.communicate(timeout=60)
    assert running.returncode == 0
    events = [json.loads(line) for line in output.splitlines()]
    assert "true" in [event["comm"] for event in events]
    assert list(events[0])[:3] == ["time", "kind", "seq"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130)])
def test_a_file_with_main_code_runs_as_it_is_and_ends_in_order(
    file: Path, number: int, code: int
) -> None:
    file.write_text(MAIN)
    running = start(file)
    assert running.stdout is not None
    assert running.stdout.readline() == "attached\n"
    subprocess.run(["/bin/true"], check=True)
    assert any(line == "true\n" for line in iter(running.stdout.readline, ""))
    running.send_signal(number)
    _, errors = running.communicate(timeout=60)
    assert (running.returncode, errors.strip()) == (code, "")
    is_gone("on_started")


def test_a_given_time_ends_main_code(file: Path) -> None:
    file.write_text(MAIN)
    done = skep("run", "--for", "1s", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("attached\n")
    is_gone("on_started")


def test_options_that_a_file_with_main_code_cannot_obey_are_refused(file: Path) -> None:
    file.write_text(MAIN)
    done = skep("run", "--json", str(file))
    assert (done.returncode, done.stdout) == (2, "")
    assert "the file loads its programs itself" in done.stderr


def test_an_xdp_program_wants_a_device(file: Path) -> None:
    file.write_text(XDP)
    done = skep("run", str(file))
    assert (done.returncode, done.stdout) == (2, "")
    assert "--device: pass_all is for packets of a device" in done.stderr
    is_gone("pass_all")


def test_check_tells_what_the_verifier_saw_and_attaches_nothing(file: Path) -> None:
    file.write_text(DEFINES + XDP)
    done = skep("check", "--json", str(file))
    found = {one["name"]: one for one in json.loads(done.stdout)["programs"]}
    assert list(found) == ["on_started", "pass_all"]
    assert found["pass_all"]["instructions"] == 2
    assert found["on_started"]["processed"] >= found["on_started"]["instructions"] > 10
    assert found["on_started"]["states"] > 0
    assert 0 < found["on_started"]["stack"] <= 512
    is_gone("on_started")
    text = skep("check", str(file)).stdout
    assert text.splitlines()[0].split()[0] == "PROGRAM"


def test_a_broken_program_is_shown_with_the_users_line(file: Path) -> None:
    file.write_text(DEFINES.replace("task.tgid\n    event.comm", "task.no_such\n    event.comm"))
    for words in (("check", str(file)), ("run", str(file))):
        done = skep(*words)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"{file}:" in done.stderr
        assert "event.pid = task.no_such" in done.stderr
        assert "Traceback" not in done.stderr
    is_gone("on_started")
