"""How long ``skep run examples/01_hello.py`` takes until its program is attached, and the memory that it then has.

Wall time from exec to the moment when the kernel lists the link, and PSS of all its processes then: with the object in
the cache, and with an empty cache of objects (cold: the index of the kernel's types is kept). Python's bytecode is
there, as after a first start. The limit beside it is the bare interpreter's start and end.
"""

import compileall
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import skep
from bench.figures import Figure
from bench.processes import pss_kb, tree
from skep.kernel import objects
from skep.kernel.bpf import DOOR

ROOT = Path(__file__).resolve().parent.parent
SKEP = Path(sys.executable).parent / "skep"
HELLO = ROOT / "examples/01_hello.py"
PROGRAM = "on_exec"
POLL = 0.0005
GIVE_UP = 30.0


def _linked() -> set[int]:
    """The ids of the links of programs named as the example's."""
    names = {info.id for info in objects.programs(DOOR) if info.name == PROGRAM}
    return {link.id for link in objects.links(DOOR) if link.program_id in names}


def run(cache: Path) -> tuple[float, float]:
    """Seconds to the link, and PSS in MB at that moment, with ``cache`` in the place of /var/cache/skep."""
    before = _linked()
    script = 'mount --bind "$0" /var/cache/skep && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", script, str(cache), str(SKEP), "run", str(HELLO)]
    start = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            while _linked() == before:
                if process.poll() is not None or time.monotonic() - start > GIVE_UP:
                    raise RuntimeError("skep run did not attach its program")
                time.sleep(POLL)
            seconds = time.monotonic() - start
            memory = sum(pss_kb(pid) for pid in tree(process.pid)) / 1024
        finally:
            process.terminate()
            process.wait(10)
    return seconds, memory


def _bare() -> float:
    start = time.monotonic()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.monotonic() - start


def measure(quick: bool) -> dict[str, Figure]:  # noqa: FBT001 - the harness's form
    """The three figures, by interleaved runs."""
    rounds = 7 if quick else 21
    compileall.compile_dir(Path(skep.__file__).parent, quiet=1)
    Path("/var/cache/skep").mkdir(mode=0o700, parents=True, exist_ok=True)
    cached, cold, memory, bare = [], [], [], []
    with tempfile.TemporaryDirectory(prefix="skep-bench-") as folder:
        cache = Path(folder)
        cache.chmod(0o700)
        run(cache)
        for _ in range(rounds):
            seconds, pss = run(cache)
            cached.append(seconds)
            memory.append(pss)
            shutil.rmtree(cache / "objects")
            cold.append(run(cache)[0])
            bare.append(_bare())
    floor = statistics.median(bare)
    return {
        "start.cached_s": Figure(statistics.median(cached), "s", "python -c pass", floor),
        "start.cached_pss_mb": Figure(statistics.median(memory), "MB", "limit", 40),
        "start.cold_s": Figure(statistics.median(cold), "s", "python -c pass", floor),
    }
