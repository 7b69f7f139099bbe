"""Examples as one runs them: with plain ``python``, in a process whose output is read as it comes."""

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

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples").glob("[0-9]*.py"))
SECONDS = 120.0
AGAIN = "each start takes seconds there, and the program runs there in another test"
WAYS = (
    pytest.param((), id="python"),
    pytest.param(("-m", "skep.cli", "run"), id="skep run", marks=pytest.mark.native(AGAIN)),
)


class Running:
    """An example that runs; its output is read until a line says what is wanted."""

    def __init__(self, name: str, *arguments: str, by: tuple[str, ...] = ()) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *by, str(ROOT / "examples" / name), *arguments],
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


def bars(output: str) -> list[int]:
    """The counts of a histogram in powers of two, whose longest bar has 50 characters."""
    rows = re.findall(r"^ *< (\d+) us +(\d+) ?(#*)$", output, re.MULTILINE)
    first = int(rows[0][0])
    assert [int(limit) for limit, _, _ in rows] == [first << i for i in range(len(rows))]
    assert max(len(bar) for _, _, bar in rows) == 50
    return [int(count) for _, count, _ in rows]


@contextmanager
def running(name: str, *arguments: str, by: tuple[str, ...] = ()) -> Iterator[Running]:
    """``by``: what runs it in the place of plain ``python``, such as ``("-m", "skep", "run")``."""
    made = Running(name, *arguments, by=by)
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.process.kill()
        made.process.communicate()


def output_of(name: str, *arguments: str, by: tuple[str, ...] = ()) -> str:
    """What an example prints that ends by itself."""
    with running(name, *arguments, by=by) as one:
        errors = one.rest()
        assert (one.process.returncode, errors) == (0, "")
        return one.output
