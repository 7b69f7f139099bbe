"""A virtual machine that runs one command on another kernel, with this machine's files.

``python -m tools.vm 6.1 -- COMMAND...`` shows what the command prints and ends with its exit code. QEMU emulates (no
KVM is needed, no root either); the guest's kernel is started as an ELF image, its root is this machine's under a layer
in memory, so that nothing done inside outlives it. A guest lives from ``start`` to ``wait``, which ends it by its
process id when its time is over. There is no network and no clock worth measuring inside.
"""

import argparse
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tools import cpio, debian, kernels

INIT = Path(__file__).with_name("guest.init")
FOLDERS = ("proc", "sys", "dev", "lower", "upper", "new")
BOOT = ("virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_rng")
NETWORK = ("veth", "bridge", "vxlan", "dummy", "tun", "sch_ingress", "cls_bpf")
TRACKING = ("crc32c_generic", "nf_conntrack", "nf_nat", "nf_tables")
BLOCK = ("loop",)
PARAMETERS = (
    "console=ttyS0 loglevel=4 panic=-1 no_timer_check random.trust_cpu=on lsm=lockdown,capability,bpf "
    "mitigations=off rcupdate.rcu_expedited=1 kernel.perf_event_paranoid=-1 tsc=reliable"
)
CONSOLE_TAIL = 30


@dataclass(frozen=True, slots=True)
class Size:
    """What a guest gets."""

    processors: int = 2
    memory: str = "2G"


@dataclass(frozen=True, slots=True)
class Held:
    """A folder that a guest has in memory, at ``path`` (without links), without names of some patterns.

    Over 9p it takes 0.4 ms to open a file and 2.6 ms to list a folder; in memory a tenth of that.
    """

    source: Path
    path: str
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a guest ended: the command's exit code, or None and why there is none."""

    code: int | None
    seconds: float
    output: str
    trouble: str = ""


@dataclass(slots=True)
class Guest:
    """A running guest. ``folder`` is what it shares with the host, seen as /run/vm inside, and holds its console."""

    kernel: kernels.Kernel
    folder: Path
    process: subprocess.Popen[bytes]
    started: float = field(default_factory=time.monotonic)

    def wait(self, seconds: float) -> Outcome:
        """Wait until the guest is off, at most until ``seconds`` after its start; then it is ended."""
        left = max(0.0, seconds - (time.monotonic() - self.started))
        trouble = ""
        try:
            self.process.wait(left)
        except subprocess.TimeoutExpired:
            trouble = f"ended after {seconds:.0f} s without an answer"
            self.stop()
        code = _number(self.folder / "exit")
        if code is None and not trouble:
            trouble = f"went off without an exit code (QEMU ended with {self.process.returncode})"
        if trouble:
            trouble += (
                f"; the last lines of QEMU and of its console:\n{tail(self.folder / 'qemu')}\n"
            )
            trouble += tail(self.folder / "console")
        took = time.monotonic() - self.started
        return Outcome(code, took, read(self.folder / "output"), trouble)

    def stop(self) -> None:
        """End it at once."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()


def start(
    kernel: kernels.Kernel,
    command: str,
    folder: Path,
    size: Size = Size(),
    held: Sequence[Held] = (),
) -> Guest:
    """Start a guest that runs ``command`` (of sh); ``folder`` is emptied of what an earlier one left.

    Raises debian.Unavailable where QEMU cannot be had.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("exit", "output", "console"):
        (folder / name).unlink(missing_ok=True)
    (folder / "command").write_text(command + "\n")
    with (folder / "initrd").open("wb") as file:
        file.writelines(initrd(kernel, held))
    emulator = debian.program("qemu", "qemu-system-x86_64")
    with (folder / "qemu").open("wb") as log:
        process = subprocess.Popen(
            ["nice", "-n", "10", str(emulator), *_machine(kernel, folder, size)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    return Guest(kernel, folder, process)


def initrd(kernel: kernels.Kernel, held: Sequence[Held] = ()) -> Iterator[bytes]:
    """The initial root: busybox, the modules, ``guest.init``, and what is held in memory."""
    busybox = debian.fetch(["busybox"])[0] / "bin" / "busybox"
    loaded = kernels.modules(kernel.modules, BOOT + NETWORK + TRACKING + BLOCK)
    files = {"init": INIT.read_bytes(), "bin/busybox": busybox.read_bytes()}
    files |= {f"modules/{name}.ko": data for name, data in loaded.items()}
    files["modules/order"] = "\n".join(loaded).encode() + b"\n"
    files["held"] = "".join(f"{one.path}\n" for one in held).encode()
    yield cpio.archive(files, programs=frozenset({"init", "bin/busybox"}), folders=FOLDERS)
    for one in held:
        yield cpio.folder(one.source, f"memory{one.path}", one.without)


def _machine(kernel: kernels.Kernel, folder: Path, size: Size) -> list[str]:
    share = debian.CACHE / "qemu" / "usr/share"
    shares = (("root", "/", ",readonly=on,multidevs=remap"), ("shared", str(folder), ""))
    options = ["-L", str(share / "qemu"), "-L", str(share / "seabios"), "-bios", "qboot.rom"]
    options += ["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"]
    options += ["-machine", "q35", "-cpu", "max", "-accel", "tcg,thread=multi"]
    options += ["-smp", str(size.processors), "-m", size.memory]
    options += ["-kernel", str(kernel.image), "-initrd", str(folder / "initrd")]
    options += ["-append", PARAMETERS, "-serial", f"file:{folder / 'console'}"]
    options += ["-device", "virtio-rng-pci"]
    for tag, path, more in shares:
        options += ["-fsdev", f"local,id={tag},path={path},security_model=none{more}"]
        options += ["-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]
    return options


def read(path: Path) -> str:
    """The text of a file that a guest may not have come to write."""
    return path.read_text(errors="replace") if path.exists() else ""


def tail(path: Path, lines: int = CONSOLE_TAIL) -> str:
    """The last lines of such a file."""
    return "\n".join(read(path).splitlines()[-lines:])


def _number(path: Path) -> int | None:
    text = read(path).strip()
    return int(text) if text.isdigit() else None


def main(arguments: list[str] | None = None) -> int:
    """Run one command on one kernel."""
    parser = argparse.ArgumentParser(prog="python -m tools.vm", description=__doc__)
    parser.add_argument("series", choices=kernels.ALL)
    parser.add_argument("--seconds", type=float, default=300, help="end the guest after so long")
    parser.add_argument("command", nargs="+", help="after --")
    options = parser.parse_args(arguments)
    command = f"cd {shlex.quote(str(Path.cwd()))} && {shlex.join(options.command)}"
    with tempfile.TemporaryDirectory(prefix="skep-vm-") as folder:
        try:
            guest = start(kernels.kernel(options.series), command, Path(folder))
        except debian.Unavailable as reason:
            print(f"vm: {reason}", file=sys.stderr)
            return 1
        try:
            outcome = guest.wait(options.seconds)
        finally:
            guest.stop()
    print(outcome.output, end="")
    note = outcome.trouble or f"exit code {outcome.code}"
    print(f"vm: {guest.kernel.release}: {note} after {outcome.seconds:.1f} s", file=sys.stderr)
    return 1 if outcome.code is None else outcome.code


if __name__ == "__main__":
    sys.exit(main())
