"""``skep run`` and ``skep check`` on files as users write them."""

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

import skep
from skep.kernel import stats
from tests.kernel.agent.conftest import PATIENCE, SKEP, run_true, wait_for
from tests.kernel.agent.conftest import skep as command

pytestmark = [
    pytest.mark.requires("prog.tp_btf", "map.ringbuf", "btf.vmlinux"),
    pytest.mark.native("compiles"),
]

NAMES = """
import skep

@skep.usdt("libc", "skep:none")
def on_probe(ctx):
    return 0

@skep.xdp
def right(ctx):
    return 2
"""
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
SUMMARY = (
    MAIN
    + """
    print("the end", flush=True)
"""
)

XDP = """
import skep

@skep.xdp
def pass_all(context):
    return 2
"""

LINES = """
import skep

class Line(skep.Struct):
    text: skep.char[4]

tasks = skep.Array(skep.u64, 1)

@skep.iterator("task")
def count(ctx):
    meta = ctx.meta
    if meta is None:
        return
    if ctx.task is not None:
        tasks.increment(0)
        return
    line = Line()
    for i in range(3):
        line.text[i] = 97 + i
    line.text[3] = 10
    skep.seq_write(meta.seq, line)
"""

REFUSED = """
import skep
undo = skep.kfunc("tcp_reno_undo_cwnd")
@skep.tp_btf("inet_sock_set_state")
def strange(sk, old, new):
    return undo(sk)
"""


PROBE = """
import skep

counts = skep.Hash(skep.u32, skep.u64, 1024)

@skep.uprobe("libc", "getservbyname")
def on_service(name):
    counts.increment(skep.u32(skep.get_current_pid_tgid() >> 32))
"""
CONTROL = """
import skep

@skep.struct_ops("tcp_congestion_ops.ssthresh")
def on_loss(sk):
    return max(sk.snd_cwnd >> 1, 2)

@skep.struct_ops("tcp_congestion_ops.undo_cwnd")
def on_undo(sk):
    return sk.snd_cwnd

@skep.struct_ops("tcp_congestion_ops.cong_avoid")
def on_ack(sk, ack, acked):
    sk.snd_cwnd = sk.snd_cwnd + 1

control = skep.StructOps(
    "tcp_congestion_ops", name="skep_file", ssthresh=on_loss, undo_cwnd=on_undo, cong_avoid=on_ack
)
"""
CONTROLS = Path("/proc/sys/net/ipv4/tcp_available_congestion_control")


PRINTS = DEFINES.replace(
    "    counts[task.tgid] = 5\n",
    '    print(task.tgid)\n    print(f"begun: {task.comm} {task.tgid:6}")\n',
)


@skep.tp_btf("sched_process_exec")
def on_other(task):  # type: ignore[no-untyped-def]
    """What somebody else's program prints meanwhile."""
    print("somebody else's", task.tgid)  # noqa: T201 - the kernel prints


@pytest.fixture(name="file")
def user_file(tmp_path: Path) -> Path:
    return tmp_path / "mine.py"


class Run:
    """``skep run`` in the background."""

    def __init__(self, file: Path, *options: str) -> None:
        self._output, self._errors = file.with_suffix(".out"), file.with_suffix(".err")
        with self._output.open("w") as output, self._errors.open("w") as errors:
            words = [*SKEP, "run", *options, str(file)]
            self.process = subprocess.Popen(words, stdout=output, stderr=errors)

    @property
    def output(self) -> str:
        """What it has printed."""
        return self._output.read_text()

    @property
    def errors(self) -> str:
        """What it has said beside."""
        return self._errors.read_text()

    def until(self, wanted: str) -> None:
        """Start programs until it has printed ``wanted``."""

        def there() -> bool:
            assert self.process.poll() is None, self.errors
            run_true("nudge")
            return wanted in self.output

        wait_for(there, f"{wanted} is printed")

    def end(self, number: int = signal.SIGINT) -> int:
        """Signal it; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


def start(file: Path, *options: str) -> "subprocess.Popen[str]":
    words = [*SKEP, "run", *options, str(file)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def is_gone(name: str) -> None:
    """The kernel frees a program a moment after its last descriptor."""
    wait_for(lambda: all(one.name != name for one in stats.all_programs()), f"{name} is gone")


def test_a_file_that_only_defines_has_its_events_printed_and_its_maps_at_the_end(
    file: Path,
) -> None:
    file.write_text(DEFINES)
    running = Run(file)
    running.until("comm=true")
    assert (running.end(), running.errors) == (130, "attached on_started\n")
    assert "counts:\n" in running.output
    assert ": 5\n" in running.output
    is_gone("on_started")


def test_a_map_that_is_full_is_said_to_be(file: Path) -> None:
    file.write_text(DEFINES.replace("skep.u64, 1024)", "skep.u64, 1)"))
    running = Run(file)
    running.until("comm=true")
    running.end()
    assert running.output.splitlines()[-1] == "  it is full: what came later found no room"
    assert "state" not in running.output


def test_its_events_are_json_lines_when_asked(file: Path) -> None:
    file.write_text(DEFINES)
    running = Run(file, "--json")
    running.until('"comm": "true"')
    assert running.end(signal.SIGTERM) == 130
    *events, counts = (json.loads(line) for line in running.output.splitlines())
    assert "true" in [event["comm"] for event in events]
    assert list(events[0])[:3] == ["time", "kind", "seq"]
    assert (counts["kind"], counts["map"]) == ("map", "counts")
    assert {"key": events[0]["pid"], "value": 5} in counts["entries"]


def test_an_iterator_of_a_file_is_run_over_its_objects(file: Path) -> None:
    file.write_text(LINES)
    done = command("run", "--for", "0.1s", str(file))
    text, _, maps = done.stdout.partition("tasks:\n")
    assert text == "abc\n"
    assert int(maps.split()[1]) > 1


def test_what_its_programs_print_is_shown_beside_its_events_and_nothing_of_others(
    file: Path,
) -> None:
    file.write_text(PRINTS)
    with skep.load(on_other):
        running = Run(file, "--trace")
        running.until(": begun: true ")
        assert running.end() == 130
    lines = running.output.splitlines()
    assert any(re.fullmatch(r"print tid=(\d+): \1", line) for line in lines)
    assert any(re.fullmatch(r"print tid=(\d+): begun: true +\1", line) for line in lines)
    assert "started pid=" in running.output
    assert "somebody" not in running.output
    assert "lost" not in running.errors


def test_what_its_programs_print_is_json_when_asked(file: Path) -> None:
    file.write_text(PRINTS)
    running = Run(file, "--trace", "--json")
    running.until("begun: true ")
    running.end()
    events = [json.loads(line) for line in running.output.splitlines()]
    shown = next(one for one in events if one["kind"] == "print" and "true" in one["text"])
    assert (list(shown)[:2], shown["kind"]) == (["time", "kind"], "print")
    started = next(one for one in events if one.get("pid") == shown["tid"])
    assert shown["time"][:-4] <= started["time"]
    assert shown["cpu"] in os.sched_getaffinity(0)


def test_what_programs_print_that_a_file_loads_itself_goes_to_the_error_output(file: Path) -> None:
    file.write_text(PRINTS + MAIN.removeprefix(DEFINES))
    running = Run(file, "--trace")
    running.until("\ntrue\n")
    assert running.end() == 130
    assert re.search(r"^print tid=(\d+): begun: true +\1$", running.errors, re.MULTILINE)
    assert "tid=" not in running.output


def test_that_no_program_prints_is_said(file: Path) -> None:
    file.write_text(DEFINES)
    done = command("run", "--trace", "--for", "0.1s", str(file))
    assert (done.returncode, done.stderr) == (0, "no program prints\nattached on_started\n")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130)])
def test_a_file_with_main_code_runs_as_it_is_and_ends_in_order(
    file: Path, number: int, code: int
) -> None:
    file.write_text(MAIN)
    running = Run(file)
    running.until("\ntrue\n")
    assert running.output.startswith("attached\n")
    assert (running.end(number), running.errors.strip()) == (code, "")
    is_gone("on_started")


def test_the_code_below_a_loop_over_events_shows_what_was_collected(file: Path) -> None:
    file.write_text(SUMMARY)
    running = Run(file)
    running.until("\ntrue\n")
    assert (running.end(), running.errors) == (130, "")
    assert running.output.endswith("\nthe end\n")
    is_gone("on_started")


def in_time(file: Path, came: Callable[[str], bool]) -> "subprocess.CompletedProcess[str]":
    """A run for a time, that has come so far: its time begins before Python reads the file, and a machine is busy."""
    for seconds in (0.5, 2, 8, 32):
        done = command("run", "--for", f"{seconds}s", str(file))
        assert (done.returncode, done.stderr) == (0, "")
        if came(done.stdout):
            break
    return done


def test_a_time_that_is_over_ends_a_loop_over_events_in_the_same_way(file: Path) -> None:
    """Also where the loop waits for an event that does not come."""
    file.write_text(SUMMARY)
    done = in_time(file, lambda text: text.endswith("\nthe end\n"))
    assert done.stdout.startswith("attached\n")
    assert done.stdout.endswith("\nthe end\n")
    is_gone("on_started")


def test_a_file_that_catches_ctrl_c_is_ended_by_its_time_in_the_same_way(file: Path) -> None:
    text = """
    try:
        while True: time.sleep(100)
    except KeyboardInterrupt:
        print("caught")
"""
    file.write_text("import time\n" + DEFINES + "\nwith skep.load(on_started):" + text)
    assert in_time(file, bool).stdout == "caught\n"
    is_gone("on_started")


def test_a_program_that_a_file_executes_in_its_place_is_not_ended(file: Path) -> None:
    """A time that went on in it would kill it."""
    again = "import sys, time; print('begun', flush=True); time.sleep(float(sys.argv[1])); print('done')"
    for seconds in (0.3, 3, 30):
        words = f"[sys.executable, '-c', {again!r}, '{2 * seconds}']"
        text = f"import os, sys\nos.execv(sys.executable, {words})\n"
        file.write_text(f"{text}skep.load()\n")
        done = command("run", "--for", f"{seconds}s", str(file))
        if done.stdout:
            break
    assert (done.returncode, done.stdout, done.stderr) == (0, "begun\ndone\n", "")


def test_a_given_time_ends_main_code(file: Path) -> None:
    file.write_text(MAIN)
    done = command("run", "--for", "1s", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout[:9] in ("attached\n", "")  # a busy machine may not come so far in the time
    is_gone("on_started")


def test_options_that_a_file_with_main_code_cannot_obey_are_refused(file: Path) -> None:
    file.write_text(MAIN)
    done = command("run", "--json", str(file))
    assert (done.returncode, done.stdout) == (2, "")
    assert "the file loads its programs itself" in done.stderr


def test_an_xdp_program_wants_a_device(file: Path) -> None:
    file.write_text(XDP)
    done = command("run", str(file))
    assert (done.returncode, done.stdout) == (2, "")
    assert "--device: pass_all is for packets of a device" in done.stderr
    is_gone("pass_all")


def test_a_probe_of_a_library_is_attached_for_one_process(file: Path) -> None:
    file.write_text(PROBE)
    running = start(file, "--pid", str(os.getpid()))
    assert running.stderr is not None
    assert running.stderr.readline() == "attached on_service\n"
    with suppress(OSError):
        socket.getservbyname("skep-none", "tcp")
    running.send_signal(signal.SIGINT)
    output, _ = running.communicate(timeout=60)
    assert f"{os.getpid()}: 1\n" in output
    is_gone("on_service")


def test_a_function_table_is_registered_while_the_file_runs(file: Path) -> None:
    file.write_text(CONTROL)
    running = start(file)
    assert running.stderr is not None
    assert running.stderr.readline() == "attached on_loss, on_undo, on_ack\n"
    assert "skep_file" in CONTROLS.read_text()
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=60)
    wait_for(lambda: "skep_file" not in CONTROLS.read_text(), "the table is gone")
    assert command("check", str(file)).returncode == 0


def test_check_tells_what_the_verifier_saw_and_attaches_nothing(file: Path) -> None:
    file.write_text(DEFINES + XDP)
    done = command("check", "--json", str(file))
    found = {one["name"]: one for one in json.loads(done.stdout)["programs"]}
    assert list(found) == ["on_started", "pass_all"]
    assert found["pass_all"]["instructions"] == 2
    assert found["on_started"]["processed"] >= found["on_started"]["instructions"] > 10
    assert found["on_started"]["states"] > 0
    assert 0 < found["on_started"]["stack"] <= 512
    is_gone("on_started")
    text = command("check", str(file)).stdout
    assert text.splitlines()[0].split()[0] == "PROGRAM"


def test_a_program_that_the_kernel_refuses_is_shown_with_the_users_lines(file: Path) -> None:
    file.write_text(REFUSED)
    for words in (("check", str(file)), ("run", str(file))):
        done = command(*words)
        assert (done.returncode, done.stdout) == (1, "")
        first, *lines = done.stderr.splitlines()
        assert first.startswith("skep: the kernel refused strange: ")
        assert any(f"{file}:6 | return undo(sk)" in line for line in lines)
        assert lines[-1].startswith("  fix: ")
    is_gone("strange")


def test_check_goes_on_where_one_program_is_wrong(file: Path) -> None:
    wrong = XDP.replace("pass_all", "wrong").replace("return 2", "return context.nothing")
    file.write_text(DEFINES + wrong + XDP + REFUSED)
    done = command("check", "--json", str(file))
    found = json.loads(done.stdout)
    assert [one["name"] for one in found["programs"]] == ["on_started", "pass_all"]
    assert [one["name"] for one in found["errors"]] == ["wrong", "strange"]
    assert done.returncode == 1
    assert done.stderr.count("skep: ") == 2
    assert "return context.nothing" in done.stderr
    text = command("check", str(file)).stdout.splitlines()
    assert [line.split()[0] for line in text] == ["PROGRAM", "on_started", "pass_all"]


def test_check_goes_on_where_one_program_names_what_is_not_there(file: Path) -> None:
    file.write_text(NAMES)
    done = command("check", str(file))
    assert "right" in done.stdout
    assert "on_probe" not in done.stdout
    assert "it has no static probe 'skep:none'" in done.stderr
    assert "| def on_probe(ctx):" in done.stderr


def test_a_broken_program_is_shown_with_the_users_line(file: Path) -> None:
    file.write_text(DEFINES.replace("task.tgid\n    event.comm", "task.no_such\n    event.comm"))
    for words in (("check", str(file)), ("run", str(file))):
        done = command(*words)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"{file}:" in done.stderr
        assert "event.pid = task.no_such" in done.stderr
        assert "Traceback" not in done.stderr
    is_gone("on_started")
