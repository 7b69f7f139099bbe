"""Each example shows what its docstring says, with plain ``python``, and ends cleanly on Ctrl-C."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from skep.kernel import objects
from skep.kernel.bpf import DOOR

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples").glob("[0-9]*.py"))
PROGRAMS = EXAMPLES  # compiled beforehand for machines without a compiler
SECONDS = 60.0
LINES = 60


class Running:
    """An example that runs; its output is read until a line says what is wanted."""

    def __init__(self, name: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "examples" / name), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.output = ""

    def read(self) -> None:
        """Take what it has printed."""
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        with suppress(BlockingIOError):
            self.output += os.read(self.process.stdout.fileno(), 1 << 16).decode()

    def until(self, pattern: str, do: Callable[[], object] = lambda: None) -> re.Match[str]:
        """The first match in the output; ``do`` is done again and again until there is one."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            do()
            self.read()
            if found := re.search(pattern, self.output, re.MULTILINE):
                return found
            assert self.process.poll() is None, self.rest()
            time.sleep(0.02)
        raise AssertionError(f"no {pattern!r} in:\n{self.output}")

    def interrupt(self) -> None:
        """Ctrl-C: it ends by itself, and complains of nothing."""
        self.process.send_signal(signal.SIGINT)
        errors = self.rest()
        assert (self.process.returncode, errors) == (0, "")

    def rest(self) -> str:
        """Wait for its end; what it wrote to standard error."""
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), True)
        output, errors = self.process.communicate(timeout=SECONDS)
        self.output += output.decode()
        return errors.decode()


@contextmanager
def running(name: str, *arguments: str) -> Iterator[Running]:
    made = Running(name, *arguments)
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.process.kill()
        made.process.communicate()


def output_of(name: str, *arguments: str) -> str:
    """What an example prints that ends by itself."""
    with running(name, *arguments) as one:
        errors = one.rest()
        assert (one.process.returncode, errors) == (0, "")
        return one.output


def start_something() -> None:
    subprocess.run(["/bin/true"], check=True)


def test_hello_shows_programs_that_start() -> None:
    with running("01_hello.py") as one:
        one.until(r"^\d+ true$", start_something)
        one.process.send_signal(signal.SIGINT)
        one.rest()


def test_hello_has_under_fifteen_lines() -> None:
    """Of code, for a reader to take in at once."""
    text = (ROOT / "examples" / "01_hello.py").read_text()
    code = text.partition('if __name__ == "__main__":')[0].partition('"""\n\n')[2]
    assert len([line for line in code.splitlines() if line.strip()]) < 15


def test_system_calls_are_counted_by_process() -> None:
    busy = subprocess.Popen(
        ["dd", "if=/dev/zero", "of=/dev/null", "bs=1"], stderr=subprocess.DEVNULL
    )
    try:
        with running("02_syscalls.py") as one:
            found = one.until(rf"^ *(\d+) +{busy.pid} dd$")
            assert int(found[1]) > 1000
            one.interrupt()
    finally:
        busy.kill()
        busy.wait()


def test_waits_for_a_cpu_are_shown_as_bars() -> None:
    with running("03_runqueue.py") as one:
        one.until("^Measuring")
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            start_something()
        one.interrupt()
    rows = re.findall(r"^ +< (\d+) us +(\d+) (#*)$", one.output, re.MULTILINE)
    assert [int(limit) for limit, _, _ in rows] == [2 << i for i in range(len(rows))]
    assert sum(int(count) for _, count, _ in rows) > 10
    assert max(len(bar) for _, _, bar in rows) == 50


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
    assert f'"{path.name}"' in Path(__file__).read_text()


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
