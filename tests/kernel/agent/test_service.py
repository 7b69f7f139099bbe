"""The agent as a service manager runs it: the unit is understood, and what it forbids is not missed.

There is no systemd to run it here: its restrictions are made by hand, from the unit's own lines.
"""

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from skep.api.client import Client
from skep.base.paths import instance_paths
from skep.kernel.privileges import NAMES
from tests.kernel.agent.conftest import PATIENCE, apart, run_true, wait_for
from tests.unit.agent.test_privileges import unit
from tools import debian

pytestmark = [
    pytest.mark.requires("prog.tp_btf", "map.ringbuf", "btf.vmlinux", "cap.sys_admin"),
    pytest.mark.native("starts several agents, and compiles"),
]
# MemoryDenyWriteExecute: PR_SET_MDWE since Linux 6.3, nothing before.
DENY = """
import os, sys
from contextlib import suppress
from skep.kernel.bpf import PRIVILEGES
with suppress(OSError):
    PRIVILEGES.prctl(65, 1)
os.execv(sys.argv[1], sys.argv[1:])
"""
# ProtectKernelTunables, ProtectControlGroups, an empty CacheDirectory; tracefs as systemd mounts it.
MOUNTS = (
    "mount -t tracefs none /sys/kernel/tracing",
    "mount -o remount,ro,bind /sys/kernel/tracing",
    "mount --rbind /sys /sys && mount -o remount,ro,bind /sys",
    "mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys",
    "mkdir -p /var/cache/skep && mount -t tmpfs -o mode=700 none /var/cache/skep",
)


@pytest.fixture(name="manager")
def notified(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE)
        yield manager


def test_systemd_understands_the_unit(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        try:
            analyze = str(debian.fetch(["systemd"])[0] / "run" / "systemd-analyze")
        except debian.Unavailable as reason:
            pytest.skip(f"Debian packages: {reason}")
    text = (pytestconfig.rootpath / "packaging" / "skep.service").read_text()
    copy = tmp_path / "skep.service"  # no skep is installed where systemd looks
    copy.write_text(text.replace("ExecStart=skep", "ExecStart=/bin/true"))
    done = subprocess.run([analyze, "verify", copy], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_it_runs_with_what_the_unit_leaves_it_and_tells_the_manager(
    manager: socket.socket, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    given = unit(pytestconfig.rootpath)["CapabilityBoundingSet"].split()
    kept = ",".join(f"+{name.removeprefix('CAP_').lower()}" for name in given)
    limit = ("setpriv", f"--bounding-set=-all,{kept}", "--no-new-privs")
    name = f"test-service-{os.getpid()}"
    words = [*apart(" && ".join(MOUNTS), *limit), "agent", "--instance", name]
    at = words.index(sys.executable)
    words[at:at] = [sys.executable, "-P", "-c", DENY]
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "NOTIFY_SOCKET": manager.getsockname()}
    client = Client(instance_paths(name, "").agent_socket)
    errors = tmp_path / "errors"
    with errors.open("w") as output, subprocess.Popen(words, env=env, stderr=output) as agent:

        def ready() -> bytes:
            assert agent.poll() is None, errors.read_text()
            return manager.recv(1000) if select.select([manager], [], [], 1)[0] else b""

        try:
            assert wait_for(ready, "it says that it is ready").startswith(b"READY=1")
            status = client.status()
            assert "refused" not in {row["state"] for row in status["powers"]}
            assert [one for one in status["warnings"] if "no metrics" not in one] == []

            def ran() -> bool:
                run_true("sampled")
                return any(one["runs"] for one in client.status()["programs"])

            wait_for(ran, "runs are counted")
            agent.send_signal(signal.SIGHUP)
            assert next(
                said for said in iter(lambda: manager.recv(1000), b"") if b"RELOADING" in said
            )
        finally:
            agent.send_signal(signal.SIGTERM)
        assert next(said for said in iter(lambda: manager.recv(1000), b"") if b"STOPPING" in said)
        assert agent.wait(PATIENCE) == 0
    assert not os.path.exists(f"/run/skep/{name}")
    assert set(given) <= set(NAMES)
