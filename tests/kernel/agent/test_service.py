"""The agent as a service manager runs it: the unit is understood, and what it forbids is not missed.

There is no systemd to run it here: its restrictions are made by hand, from the unit's own lines.
"""

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from skep.api.client import Client
from skep.api.query import Query
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
# tracefs as systemd mounts it, and an empty CacheDirectory.
TRACEFS = (
    "mount -t tracefs none /sys/kernel/tracing",
    "mount -o remount,ro,bind /sys/kernel/tracing",
)
EMPTY_CACHE = "mkdir -p /var/cache/skep && mount -t tmpfs -o mode=700 none /var/cache/skep"


@pytest.fixture(name="manager")
def notified(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE)
        yield manager


def mounts(given: Mapping[str, str]) -> str:
    """What the unit's lines make of paths: read-only ones, and ones that read as empty (systemd.exec(5))."""
    read_only = given.get("ReadOnlyPaths", "").split()
    hidden = given.get("InaccessiblePaths", "").split()
    if given.get("ProtectKernelTunables") == "yes":
        read_only += ["/sys", "/proc/sys"]
        hidden += ["/proc/kallsyms", "/proc/kcore"]
    commands = [*TRACEFS, EMPTY_CACHE]
    commands += [
        f"mount --rbind {path} {path} && mount -o remount,ro,bind {path}"
        for path in there(read_only)
    ]
    commands += [f"mount --bind /dev/null {path}" for path in there(hidden)]
    return " && ".join(commands)


def there(paths: list[str]) -> list[str]:
    """Those of a unit's paths that exist."""
    return [path for path in (one.removeprefix("-") for one in paths) if os.path.exists(path)]


def refused() -> int:
    """The port of a connection to nobody: the kernel drops its SYN."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = int(one.getsockname()[1])
    with socket.socket() as one:
        assert one.connect_ex(("127.0.0.1", port)) != 0
    return port


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
    service = unit(pytestconfig.rootpath)
    given = service["CapabilityBoundingSet"].split()
    kept = ",".join(f"+{name.removeprefix('CAP_').lower()}" for name in given)
    limit = ("setpriv", f"--bounding-set=-all,{kept}", "--no-new-privs")
    name = f"test-service-{os.getpid()}"
    words = [*apart(mounts(service), *limit), "agent", "--instance", name]
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

            def place() -> str:
                drops = Query(frozenset({"drop"}), ports=frozenset({refused()}))
                lines = [json.loads(one) for one in client.lines(drops)]
                return next((str(one["location"]) for one in lines), "")

            assert "+0x" in wait_for(place, "where a packet was dropped")
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
