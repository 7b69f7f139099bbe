"""Each example shows what its docstring says, with plain ``python``, and ends cleanly on Ctrl-C."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from skep.kernel import objects
from skep.kernel.bpf import DOOR
from tests.kernel.examples.running import EXAMPLES, ROOT, SECONDS, bars, output_of, running

PROGRAMS = EXAMPLES  # compiled beforehand for machines without a compiler
TESTS = "\n".join(one.read_text() for one in Path(__file__).parent.glob("test_*.py"))
LINES = 100


def start_something() -> None:
    subprocess.run(["/bin/true"], check=True)


def test_hello_shows_programs_that_start() -> None:
    with running("01_hello.py") as one:
        one.until(r"^\d+ true$", start_something)
        one.process.send_signal(signal.SIGINT)
        one.rest()


def test_hello_has_under_fifteen_lines() -> None:
    """Of code: the record, the ring, the program, and the loop that prints; for a reader to take in at once."""
    text = (ROOT / "examples" / "01_hello.py").read_text()
    code = text.partition('"""\n\n')[2]
    assert len([line for line in code.splitlines() if line.strip()]) < 15


def test_system_calls_are_counted_by_process() -> None:
    busy = subprocess.Popen(
        ["dd", "if=/dev/zero", "of=/dev/null", "bs=1"], stderr=subprocess.DEVNULL
    )
    try:
        with running("02_syscalls.py") as one:
            one.until(rf"^ *\d{{4,}} +{busy.pid} dd$")
            one.interrupt()
    finally:
        busy.kill()
        busy.wait()


def test_waits_for_a_cpu_are_shown_as_bars() -> None:
    with running("03_runqueue.py") as one:
        one.until("^Measuring")
        for _ in range(100):
            start_something()
        one.interrupt()
    assert sum(bars(one.output)) > 10


def test_one_port_is_dropped_while_the_program_is_attached() -> None:
    assert output_of("04_drop_port.py").splitlines() == [
        "attached: port 5555 is silent",
        "attached: port 5556 answers",
        "detached: port 5555 answers",
    ]


def test_bytes_are_counted_by_port() -> None:
    output = output_of("05_bytes.py")
    assert "1048576 bytes arrived through port 8080" in output
    rows = re.findall(r"^ +(\d+) (sent|received) +(\d+)$", output, re.MULTILINE)
    counted = {(way, int(port)): int(count) for port, way, count in rows}
    assert counted["sent", 8080] > 1 << 20
    assert (
        max(n for (way, port), n in counted.items() if (way, port != 8080) == ("received", True))
        > 1 << 20
    )


def test_an_address_is_refused_to_one_cgroup() -> None:
    assert output_of("06_refuse.py").splitlines() == [
        "outside, to 127.0.0.2: connected",
        "inside,  to 127.0.0.1: connected",
        "inside,  to 127.0.0.2: PermissionError: [Errno 1] Operation not permitted",
        "refused: 1, allowed: 1",
    ]


def test_files_are_shown_as_they_are_opened(tmp_path: Path) -> None:
    wanted = tmp_path / "a file"
    wanted.write_text("")
    with running("07_opens.py") as one:
        one.until(rf"^ *{os.getpid()} .* +2000000 {re.escape(str(wanted))[:90]}", wanted.read_text)
        one.interrupt()


def test_a_profile_names_functions_of_the_kernel() -> None:
    busy = subprocess.Popen(
        ["dd", "if=/dev/zero", "of=/dev/null", "bs=1M"], stderr=subprocess.DEVNULL
    )
    try:
        output = output_of("08_profile.py", "--for", "3")
    finally:
        busy.kill()
        busy.wait()
    head, *stacks = output.split("\n\n")
    assert re.fullmatch(r"\d+ samples in the kernel, \d+ while idle", head)
    shares = [float(stack.split()[0]) for stack in stacks]
    assert shares == sorted(shares, reverse=True)
    assert any("ksys_read" in stack or "vfs_read" in stack for stack in stacks)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.name)
def test_an_example_is_short_and_says_what_one_sees(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if line.strip()]
    assert len(lines) <= LINES
    assert lines[0].startswith('"""')
    assert f'"{path.name}"' in TESTS


def ids_of(pid: int, kind: str) -> set[int]:
    """The ids of the programs ("prog") or maps ("map") that a process holds."""
    folder = Path(f"/proc/{pid}/fdinfo")
    lines = [line for one in folder.iterdir() for line in one.read_text().splitlines()]
    return {int(line.split()[1]) for line in lines if line.startswith(f"{kind}_id:")}


def test_nothing_is_left_of_an_example_that_is_interrupted() -> None:
    with running("07_opens.py") as one:
        one.until("^ +PID")
        programs, maps = ids_of(one.process.pid, "prog"), ids_of(one.process.pid, "map")
        assert len(programs) == 1
        assert len(maps) == 2
        one.interrupt()
    deadline = time.monotonic() + SECONDS  # the kernel frees what it ran a little later
    while programs & {p.id for p in objects.programs(DOOR)} or maps & {
        m.id for m in objects.maps(DOOR)
    }:
        assert time.monotonic() < deadline
        time.sleep(0.02)
