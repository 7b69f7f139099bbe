"""What the compiler must know of a kernel that is not the running one: its types, instruction set and tracepoints.

A target is a folder: ``btf``, ``build-id``, ``cpu`` ("v3", "v4"), ``events/CATEGORY/NAME/format`` as in tracefs, and
``modules/NAME``, the types of the modules that a guest loads. The first two come from the kernel's image, the last from
the modules' files, the rest from one boot of it (``python -m tools.target FILE`` is what runs inside). It is made once
per version and lies beside the image.
"""

import json
import shlex
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from skep.kernel.vmlinux import cpu_level
from tools import debian, kernels, vm
from tools.kernels import Kernel

EVENTS = Path("/sys/kernel/tracing/events")
SECONDS = 300
TYPED = ("veth", "nf_conntrack", "nf_nat", "nf_tables")
"""Modules whose functions and variables the tests name.

A target that was made before one came to be loaded has not its types.
"""


def observe(events: Path = EVENTS) -> dict[str, str]:
    """Files of the target that only the kernel itself can tell, by path."""
    found = {f"events/{p.relative_to(events)}": p.read_text() for p in events.glob("*/*/format")}
    return found | {"cpu": cpu_level()}


def target(kernel: Kernel) -> Path:
    """The target of a kernel. Raises debian.Unavailable where its boot fails."""
    folder = kernel.image.with_name("target")
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=folder.parent) as made:
            new = Path(made) / "target"
            _write(new, _boot(kernel, Path(made)))
            shutil.copy(kernel.btf, new / "btf")
            (new / "build-id").write_text(kernel.build_id)
            new.rename(folder)
    if not all((folder / "modules" / name).exists() for name in TYPED):
        _modules(kernel, folder)
    return folder


def _modules(kernel: Kernel, folder: Path) -> None:
    """Write the types of modules, as the kernel shows them once they are loaded."""
    with tempfile.TemporaryDirectory(dir=folder) as made:
        for name, data in kernels.modules(kernel.modules, vm.NETWORK + vm.TRACKING).items():
            with suppress(KeyError):  # one without types
                (Path(made) / name).write_bytes(kernels.section(data, ".BTF"))
        shutil.copytree(made, folder / "modules", dirs_exist_ok=True)


def _boot(kernel: Kernel, shared: Path) -> dict[str, str]:
    inside = [sys.executable, "-m", "tools.target", "/run/vm/target.json"]
    command = f"cd {shlex.quote(str(debian.ROOT))} && {shlex.join(inside)}"
    guest = vm.start(kernel, command, shared)
    try:
        outcome = guest.wait(SECONDS)
    finally:
        guest.stop()
    if outcome.code != 0:
        raise debian.Unavailable(f"{kernel.release}: {outcome.trouble or outcome.output}")
    found: dict[str, str] = json.loads((shared / "target.json").read_text())
    return found


def _write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(observe()))
