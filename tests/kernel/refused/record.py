"""Recording what kernels say of the corpus: ``python -m tests.kernel.refused.record``, as root.

It runs ``test_refused`` on the machine's kernel and in a guest of each other kernel, keeps the logs in
``tests/unit/kernel/verifier_logs/SERIES``, and writes the explanations of them anew, to be read in the diff. What the
kernel says stays as it is, but for addresses, for ids of its types, and for the middle of a log that never ends.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.kernel.refused.corpus import version
from tools import vm
from tools.debian import ROOT
from tools.kernels import SERIES, kernel

LOGS = ROOT / "tests" / "unit" / "kernel" / "verifier_logs"
PYTEST = (sys.executable, "-m", "pytest", "--quiet", "tests/kernel/refused")
VARIABLES = (
    "env",
    "PYTHONPATH=src",
    "PYTHONDONTWRITEBYTECODE=1",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1",
)
SECONDS = 600
KEPT = 3000
ADDRESS, ADDRESS_SHOWN = r"\b0xffff[0-9a-f]{12}\b", "0xffff888000000000"
TYPE, TYPE_SHOWN = r"(?<=has btf_id )\d+", "1000"
KFUNC, KFUNC_SHOWN = r"(call bpf_\w+#)\d{5,}", r"\g<1>70000"


def shortened(log: str) -> str:
    """A log without what differs from boot to boot; of a very long one, the part that an explanation is made of."""
    for pattern, shown in ((ADDRESS, ADDRESS_SHOWN), (TYPE, TYPE_SHOWN), (KFUNC, KFUNC_SHOWN)):
        log = re.sub(pattern, shown, log)
    if len(log) <= 2 * KEPT:
        return log
    ended = "processed " in log[-KEPT:]
    return log[-KEPT:] if ended else log[:KEPT]


def kept(series: str) -> Path:
    """The folder of a kernel's logs, emptied."""
    shutil.rmtree(LOGS / series, ignore_errors=True)
    return LOGS / series


def here() -> int:
    """Record on the running kernel; the exit code of the tests."""
    series = "{}.{}".format(*version(os.uname().release))
    return subprocess.run(
        [*PYTEST, f"--record-logs={kept(series)}"], cwd=ROOT, check=False
    ).returncode


def inside(series: str) -> int:
    """Record in a guest; the exit code of the tests. The programs need no compiler there."""
    command = [*VARIABLES, *PYTEST, "-p", "pytest_timeout", "--guest", "--record-logs=/run/vm/logs"]
    with tempfile.TemporaryDirectory() as folder:
        shared = Path(folder)
        guest = vm.start(
            kernel(series), f"cd {shlex.quote(str(ROOT))} && {shlex.join(command)}", shared
        )
        try:
            outcome = guest.wait(SECONDS)
        finally:
            guest.stop()
        sys.stdout.write(f"{outcome.output}\n{outcome.trouble}\n")
        if outcome.code is None:
            return 1
        shutil.copytree(shared / "logs", kept(series))
        return outcome.code


def main() -> int:
    """Record on all kernels; what did not go as its case says is told by the tests."""
    codes = [here(), *(inside(series) for series in SERIES)]
    write = [sys.executable, "-m", "tests.unit.kernel.test_verifier"]
    return max(*codes, subprocess.run(write, cwd=ROOT, check=False).returncode)


if __name__ == "__main__":
    sys.exit(main())
