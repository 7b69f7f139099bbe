"""``make test`` and ``make lint``: the checks, one after another, each with a line and its time.

All of them run, also after one that fails; the exit code is that of the first that failed. pytest comes last, so that
its closing lines (what was not run and why, then the count) are the last that one sees.
"""

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tools import debian

BIN = Path(sys.executable).parent


@dataclass(frozen=True, slots=True)
class Check:
    """A command of the virtual environment. A ``quiet`` one shows its output only where it fails."""

    name: str
    command: tuple[str, ...]
    group: str = "lint"
    quiet: bool = True


CHECKS = (
    Check("style", ("ruff", "check", "--quiet", "--output-format", "concise")),
    Check("format", ("ruff", "format", "--quiet", "--check")),
    Check("types", ("mypy", "--no-error-summary")),
    Check("layers", ("lint-imports", "--no-logo", "--cache-dir", ".cache/imports")),
    Check("tests", ("pytest", "--quiet"), group="test", quiet=False),
)


def run(check: Check) -> int:
    """Run one check; its exit code."""
    print(f"{check.name:8}", end="" if check.quiet else "\n", flush=True)
    started = time.monotonic()
    done = subprocess.run(
        [str(BIN / check.command[0]), *check.command[1:]],
        cwd=debian.ROOT,
        stdout=subprocess.PIPE if check.quiet else None,
        stderr=subprocess.STDOUT if check.quiet else None,
        check=False,
    )
    if check.quiet:
        word = "failed" if done.returncode else "passed"
        print(f"{word:8}{time.monotonic() - started:6.1f} s", flush=True)
        if done.returncode:
            print(done.stdout.decode(errors="replace").rstrip(), flush=True)
    return done.returncode


def main(arguments: list[str] | None = None) -> int:
    """Run the checks."""
    parser = argparse.ArgumentParser(prog="python -m tools.check", description=__doc__)
    parser.add_argument("--only", choices=("lint", "test"), help="one group of checks")
    options = parser.parse_args(arguments)
    wanted = [check for check in CHECKS if options.only in (None, check.group)]
    codes = {check.name: run(check) for check in wanted}
    failed = [name for name, code in codes.items() if code]
    if failed and failed != ["tests"]:
        print(f"failed: {', '.join(failed)}", flush=True)
    return next((code for code in codes.values() if code), 0)


if __name__ == "__main__":
    sys.exit(main())
