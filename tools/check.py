"""``make test`` and ``make lint``: the checks, two at a time, each with a line and its time when it is done.

All of them run, also after one that fails; the exit code is that of the first that failed. The longest come first, so
that two processors are busy until the end; guests come last and alone, for each of the two takes one. What a check
says goes into ``.cache/check/NAME``, and is shown where it fails, or where the run is ended from outside. The last
lines are of all tests: what was not run and why, those that failed, and how many there were.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from types import FrameType
from typing import NoReturn

from tools import debian

BIN = Path(sys.executable).parent
FOLDER = debian.ROOT / ".cache" / "check"
AT_A_TIME = 2
AGENTS = "tests/kernel/agent"
RANDOM = "tests/kernel/lang/test_semantics.py"
KERNELS = "tests/vm/test_kernels.py"


@dataclass(frozen=True, slots=True)
class Check:
    """A command of the virtual environment. ``alone``: it starts when all others are done."""

    name: str
    command: tuple[str, ...]
    group: str = "lint"
    alone: bool = False


def pytest(*paths: str) -> tuple[str, ...]:
    """The command of a pytest process for some of the tests."""
    return ("pytest", "--quiet", *paths)


CHECKS = (
    Check("agents", pytest(AGENTS), "test"),
    Check("kernel", pytest("tests/kernel", f"--ignore={AGENTS}", f"--ignore={RANDOM}"), "test"),
    Check("random", pytest(RANDOM), "test"),
    Check("unit", pytest("tests/unit", "tests/golden"), "test"),
    Check("types", ("mypy", "--no-error-summary")),
    Check("layers", ("lint-imports", "--no-logo", "--cache-dir", ".cache/imports")),
    Check("style", ("ruff", "check", "--quiet", "--output-format", "concise")),
    Check("format", ("ruff", "format", "--quiet", "--check")),
    Check("guest", pytest("tests/vm", f"--ignore={KERNELS}"), "test"),
    Check("guests", pytest(KERNELS), "test", alone=True),
)


@dataclass(frozen=True, slots=True)
class Told:
    """What became of tests: how many by outcome, those that failed, and why others were not run."""

    outcomes: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    not_run: Counter[str] = field(default_factory=Counter)

    def add(self, path: Path) -> None:
        """Add what a pytest wrote; nothing where it came not so far."""
        if path.exists():
            found = json.loads(path.read_text())
            self.outcomes.update(found["outcomes"])
            self.failed.extend(found["failed"])
            self.not_run.update(found["not_run"])

    def lines(self) -> Iterator[str]:
        """The last lines of a run."""
        if self.not_run:
            yield "not run, and why:"
        for reason, count in sorted(self.not_run.items()):
            yield f"{count:4} test{'s'[: count != 1]:1} {reason}"
        yield from (f"FAILED {test}" for test in self.failed)
        if self.outcomes:
            yield ", ".join(f"{count} {outcome}" for outcome, count in self.outcomes.most_common())


class Run:
    """Runs checks. ``folder`` is for what they say; ``show`` prints a text, whole, whichever thread it comes from."""

    def __init__(self, folder: Path, show: Callable[[str], None]) -> None:
        self._folder, self._show, self._lock = folder, show, Lock()
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._ending = False
        self.codes: dict[str, int] = {}
        self.told = Told()

    def together(self, checks: Sequence[Check]) -> None:
        """Run checks, some at a time; those that are alone when the others are done."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for alone in (False, True):
            with ThreadPoolExecutor(AT_A_TIME) as pool:
                list(pool.map(self._one, [one for one in checks if one.alone == alone]))

    def _one(self, check: Check) -> None:
        told = self._folder / f"{check.name}.json"
        told.unlink(missing_ok=True)
        options = (f"--told={told}",) if check.group == "test" else ()
        started = time.monotonic()
        code = self._start(check.name, (*check.command, *options)).wait()
        with self._lock:
            del self._running[check.name]
            self.codes[check.name] = code
            self.told.add(told)
            word = "failed" if code else "passed"
            self._show(f"{check.name:8}{word:8}{time.monotonic() - started:6.1f} s")
            if code:
                self._show(self.said(check.name))

    def _start(self, name: str, command: Sequence[str]) -> subprocess.Popen[bytes]:
        with self._lock, self._output(name).open("wb") as output:
            if self._ending:
                raise SystemExit
            self._running[name] = subprocess.Popen(
                [str(BIN / command[0]), *command[1:]],
                cwd=debian.ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            return self._running[name]

    def _output(self, name: str) -> Path:
        return self._folder / name

    def said(self, name: str) -> str:
        """What a check has said so far."""
        return self._output(name).read_text(errors="replace").rstrip()

    def end(self, number: int, _frame: FrameType | None = None) -> NoReturn:
        """The answer to a signal that ends this process: what runs is ended, and what it said is shown."""
        with self._lock:  # which the main thread, where signals are answered, never holds
            self._ending = True
            for name, process in self._running.items():
                process.terminate()
                self._show(f"{name:8}was running when signal {number} came")
                self._show(self.said(name))
        os._exit(128 + number)


def _print(text: str) -> None:
    print(text, flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Run the checks."""
    parser = argparse.ArgumentParser(prog="python -m tools.check", description=__doc__)
    parser.add_argument("--only", choices=("lint", "test"), help="one group of checks")
    options = parser.parse_args(arguments)
    wanted = [check for check in CHECKS if options.only in (None, check.group)]
    _print(f"what each check says meanwhile is in {FOLDER.relative_to(debian.ROOT)}")
    run = Run(FOLDER, _print)
    signal.signal(signal.SIGTERM, run.end)
    run.together(wanted)
    for line in run.told.lines():
        _print(line)
    if failed := [check.name for check in wanted if run.codes[check.name]]:
        _print(f"failed: {', '.join(failed)}")
    return next((run.codes[name] for name in failed), 0)


if __name__ == "__main__":
    sys.exit(main())
