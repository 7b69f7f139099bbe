"""The unit under a real systemd, which is process 1 of namespaces of its own: a cgroup, a /run, and no other units."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from skep.api.client import Client
from skep.api.query import Query
from skep.testing.cgroups import Cgroup
from tests.kernel.agent.conftest import TRUE, ours, wait_for
from tools import debian

pytestmark = [
    pytest.mark.requires("prog.tp_btf", "map.ringbuf", "btf.vmlinux", "cap.sys_admin"),
    pytest.mark.native("starts several agents, and compiles"),
]
# What a unit that is started needs of others, and what the machine is to be.
TARGETS = ("sysinit", "basic", "network", "shutdown", "multi-user")
# An empty cache: the compiler runs under the unit's restrictions, too.
BEGIN = """
mount -t proc proc /proc && mount -t cgroup2 none /sys/fs/cgroup &&
mount -t tmpfs -o mode=755 none /run && mkdir /run/lock &&
mkdir -p /var/cache/skep && mount -t tmpfs -o mode=700 none /var/cache/skep &&
exec env -i container=other SYSTEMD_UNIT_PATH="$1" PATH=/usr/sbin:/usr/bin:/sbin:/bin LD_LIBRARY_PATH="$3" \
    "$2" --system --unit=multi-user.target --log-target=null --crash-shell=0
"""
APART = ("--pid", "--mount", "--ipc", "--uts", "--cgroup", "--propagation", "private")


class Manager:
    """A systemd that has the unit of skep and nothing else."""

    def __init__(self, root: Path, folder: Path, cgroup: Cgroup) -> None:
        self.name = f"test-systemd-{os.getpid()}"
        self._units, self.log = folder / "units", folder / "log"
        systemd, self._systemctl, libraries = programs()
        self._write(root)
        begin = ("sh", "-c", BEGIN, "sh", str(self._units), systemd, libraries)
        words = cgroup.command("unshare", *APART, "--fork", "--kill-child", *begin)
        self._apart = subprocess.Popen(words, stdin=subprocess.DEVNULL)

    def begin(self) -> None:
        """Wait until it runs."""
        self._pid = wait_for(self._first, "there is a process 1")
        wait_for(lambda: self.shows("ActiveState", "multi-user.target") == "active", "it runs")

    def _write(self, root: Path) -> None:
        self._units.mkdir()
        for name in TARGETS:
            (self._units / f"{name}.target").write_text("[Unit]\nDefaultDependencies=no\n")
        shutil.copy(root / "packaging" / "skep.service", self._units)
        self.change()

    def change(self, *lines: str) -> None:
        """Have ``lines`` in the unit's service section, beside what is the test's own: the command, and its log.

        The checkout is seen also where it lies in /tmp, of which the unit has one of its own.
        """
        command = f"{sys.executable} -P -m skep.cli agent --instance {self.name}"
        own = (
            "[Service]",
            "ExecStart=",
            f"ExecStart={command}",
            f"StandardError=append:{self.log}",
            f"BindReadOnlyPaths={debian.ROOT}",
        )
        (self._units / "skep.service.d").mkdir(exist_ok=True)
        (self._units / "skep.service.d" / "test.conf").write_text("\n".join((*own, *lines, "")))

    def _first(self) -> int | None:
        assert self._apart.poll() is None, "systemd does not start"
        children = Path(f"/proc/{self._apart.pid}/task/{self._apart.pid}/children").read_text()
        return next(map(int, children.split()), None)

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """A command where systemd is."""
        inside = ["nsenter", "--all", "--target", str(self._pid), *words]
        return subprocess.run(inside, capture_output=True, text=True, check=False)

    def does(self, *words: str) -> None:
        """Have it do something with the unit, which is to succeed."""
        done = self.run(self._systemctl, *words)
        assert done.returncode == 0, done.stderr + (
            self.log.read_text() if self.log.exists() else ""
        )

    def shows(self, name: str, unit: str = "skep.service") -> str:
        """A property of a unit."""
        return self.run(self._systemctl, "show", "--property", name, "--value", unit).stdout.strip()

    @property
    def client(self) -> Client:
        """Of the agent."""
        return Client(f"/proc/{self._pid}/root/run/skep/{self.name}/agent.sock")

    def sees(self, marker: str) -> bool:
        """Whether the agent tells of a program that is started now."""
        self.run(TRUE, marker)
        execs = Query(kinds=frozenset({"exec"}), comms=("true",))
        return any(marker.encode() in line for line in self.client.lines(execs))

    def end(self) -> None:
        """End it with all that it runs."""
        self._apart.kill()
        self._apart.wait()


def programs() -> tuple[str, str, str]:
    """systemd, systemctl, and where their libraries are, where that is not usual."""
    if os.path.exists("/lib/systemd/systemd"):
        return "/lib/systemd/systemd", "systemctl", ""
    folder = unpacked()
    libraries = ":".join(map(str, debian.libraries(folder)))
    return str(folder / "lib/systemd/systemd"), str(folder / "run/systemctl"), libraries


def unpacked() -> Path:
    """Debian's package of it."""
    try:
        return debian.fetch(["systemd"])[0]
    except debian.Unavailable as reason:
        return pytest.skip(f"Debian packages: {reason}")


@pytest.fixture(name="cgroup_of_all")
def cgroup_that_systemd_divides() -> Iterator[Cgroup]:
    cgroup = Cgroup(f"test-systemd-{os.getpid()}")
    yield cgroup
    for folder, _, _ in list(os.walk(cgroup.path, topdown=False))[:-1]:
        wait_for(partial(removed, folder), "its cgroups are empty")
    cgroup.close()


@pytest.fixture(name="manager")
def systemd(
    tmp_path: Path, pytestconfig: pytest.Config, cgroup_of_all: Cgroup
) -> Iterator[Manager]:
    with ExitStack() as stack:
        manager = Manager(pytestconfig.rootpath, tmp_path, cgroup_of_all)
        stack.callback(manager.end)
        manager.begin()
        yield manager


def removed(folder: str) -> bool:
    try:
        os.rmdir(folder)
    except OSError:
        return False
    return True


def refused() -> int:
    """The port of a connection to nobody: the kernel drops its SYN."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = int(one.getsockname()[1])
    with socket.socket() as one:
        assert one.connect_ex(("127.0.0.1", port)) != 0
    return port


def test_systemd_understands_the_unit(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    analyze = shutil.which("systemd-analyze") or str(unpacked() / "run/systemd-analyze")
    text = (pytestconfig.rootpath / "packaging" / "skep.service").read_text()
    copy = tmp_path / "skep.service"  # no skep is installed where systemd looks
    copy.write_text(text.replace("ExecStart=skep", "ExecStart=/bin/true"))
    done = subprocess.run([analyze, "verify", copy], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_it_runs_under_systemd_with_what_the_unit_leaves_it(manager: Manager) -> None:
    manager.does("start", "skep")
    assert manager.shows("ActiveState") == "active"
    status = manager.client.status()
    assert "refused" not in {row["state"] for row in status["powers"]}
    assert [one for one in status["warnings"] if "no metrics" not in one] == []
    wait_for(lambda: manager.sees("before"), "an exec is seen")
    wait_for(lambda: any(one["runs"] for one in manager.client.status()["programs"]), "counted")

    def place() -> str:
        drops = Query(frozenset({"drop"}), ports=frozenset({refused()}))
        lines = [json.loads(line) for line in manager.client.lines(drops)]
        return next((str(one["location"]) for one in lines), "")

    assert "+0x" in wait_for(place, "where a packet was dropped")
    manager.does("reload", "skep")
    wait_for(lambda: "was read again" in manager.log.read_text(), "the configuration is read")
    manager.does("stop", "skep")
    assert (manager.shows("ActiveState"), manager.shows("Result")) == ("inactive", "success")
    assert not ours(status["programs"])
    assert "Traceback" not in manager.log.read_text()


@pytest.mark.soak
def test_systemd_starts_it_again_when_asked_or_when_it_is_killed_or_hangs(manager: Manager) -> None:
    manager.change("WatchdogSec=12")
    manager.does("start", "skep")
    first = manager.client.status()["programs"]
    manager.does("restart", "skep")
    assert not ours(first)
    for times, number in enumerate((signal.SIGKILL, signal.SIGSTOP), 1):
        manager.run("kill", f"-{number}", manager.shows("MainPID"))
        wait_for(lambda: manager.shows("NRestarts") == str(times), "it is started again")  # noqa: B023 - called at once
        wait_for(lambda: manager.shows("ActiveState") == "active", "it runs")
        wait_for(lambda: manager.sees(f"again-{times}"), "an exec is seen")  # noqa: B023 - called at once
    manager.does("stop", "skep")
    assert (manager.shows("ActiveState"), manager.shows("Result")) == ("inactive", "success")
