"""Container runtimes that live for a test: unpacked, with storage, state and sockets of their own."""

import asyncio
import json
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import NoReturn

import pytest

from skep.node.cgroup_files import CgroupFiles
from skep.node.runtimes.grpc import unary
from skep.node.runtimes.protobuf import Fields, decode
from skep.testing.programs import until
from tools import debian

PROGRAMS = ("sh", "sleep", "true")
SECONDS = 100.0
LEFT_BEHIND = (
    "/run/containerd",
    "/run/docker",
    "/run/runc",
    "/run/libpod",
    "/var/lib/containers",
)


@dataclass(frozen=True)
class Programs:
    """Folders of unpacked bundles, and an environment in which their programs find each other."""

    podman: Path
    containerd: Path
    docker: Path
    busybox: Path
    env: dict[str, str]


@pytest.fixture
def cgroup_parent() -> Iterator[str]:
    """The path, in every hierarchy, below which a runtime makes cgroups; removed with them."""
    path = f"/skep-test-{os.getpid()}"
    yield path
    mounts = CgroupFiles().mounts
    for mount in (mounts.unified, *mounts.legacy):
        until(lambda mount=mount: removed(mount + path), seconds=SECONDS)  # type: ignore[misc]


def removed(path: str) -> bool:
    """Whether no cgroup is left below a path, nor it: a process that was killed may still be in one."""
    for directory, _, _ in os.walk(path, topdown=False):
        with suppress(OSError):
            os.rmdir(directory)
    return not os.path.exists(path)


@pytest.fixture
def tidy() -> Iterator[None]:
    """Removes what runtimes leave in folders that no configuration moves, unless it was there."""
    left = [path for path in LEFT_BEHIND if not Path(path).exists()]
    yield
    for path in left:
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def programs(
    absent: Callable[[str], NoReturn], tmp_path_factory: pytest.TempPathFactory
) -> Programs:
    try:
        bundles = ("podman", "containerd", "docker", "busybox")
        podman, containerd, docker, busybox = debian.fetch(bundles)
    except (debian.Unavailable, KeyError) as reason:
        absent(f"container runtimes: {reason}")
    home = tmp_path_factory.mktemp("home")
    policy = home / ".config/containers/policy.json"
    policy.parent.mkdir(parents=True)
    policy.write_text('{"default":[{"type":"insecureAcceptAnything"}]}')
    folders = [str(one / "run") for one in (podman, containerd, docker)]
    path = ":".join([*folders, os.environ["PATH"]])  # noqa: TID251 - for commands
    return Programs(podman, containerd, docker, busybox, {"PATH": path, "HOME": str(home)})


def layer(busybox: Path) -> bytes:
    """A root file system with a static shell, as a tar."""
    data = BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        tar.add(busybox / "bin/busybox", "bin/busybox")
        for name in PROGRAMS:
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return data.getvalue()


def image(path: Path, root: bytes, name: str) -> None:
    """An OCI archive of one layer that sleeps."""
    blobs: dict[str, bytes] = {}

    def blob(data: bytes, kind: str) -> dict[str, object]:
        digest = sha256(data).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = data
        media = f"application/vnd.oci.image.{kind}"
        return {"mediaType": media, "digest": f"sha256:{digest}", "size": len(data)}

    tar = blob(root, "layer.v1.tar")
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": ["/bin/sleep", "100000"]},
        "rootfs": {"type": "layers", "diff_ids": [tar["digest"]]},
    }
    manifest = {
        "schemaVersion": 2,
        "config": blob(json.dumps(config).encode(), "config.v1+json"),
        "layers": [tar],
    }
    entry = blob(json.dumps(manifest).encode(), "manifest.v1+json")
    entry["annotations"] = {
        "org.opencontainers.image.ref.name": name,
        "io.containerd.image.name": name,
    }
    files = blobs | {
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        "index.json": json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode(),
    }
    with tarfile.open(path, "w") as archive:
        for file, data in files.items():
            member = tarfile.TarInfo(file)
            member.size = len(data)
            archive.addfile(member, BytesIO(data))


def run(env: dict[str, str], *command: str | Path, data: bytes = b"") -> str:
    done = subprocess.run(command, env=env, input=data, capture_output=True, check=False)
    assert done.returncode == 0, (command, done.stderr.decode()[-2000:])
    return done.stdout.decode().strip()


@contextmanager
def daemon(
    env: dict[str, str], log: Path, ready: Callable[[], bool], *command: str | Path
) -> Iterator[None]:
    """A daemon that is there when ``ready`` says so, and ends with the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=env, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + SECONDS
        while not ready():
            assert process.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < deadline, log.read_text()[-2000:]
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(SECONDS)


@dataclass(frozen=True)
class Podman:
    """A podman with its API on ``socket``."""

    env: dict[str, str]
    socket: str
    parent: str

    def __call__(self, *arguments: str, data: bytes = b"") -> str:
        return run(self.env, "podman", *arguments, data=data)

    def start(self, *arguments: str) -> str:
        """A container that sleeps, with options; its id."""
        fixed = ("--detach", "--network=none", f"--cgroup-parent={self.parent}")
        return self("run", *fixed, *arguments, "localhost/skep:1", "sleep", "1000")


@pytest.fixture
def podman(programs: Programs, tmp_path: Path, cgroup_parent: str, tidy: None) -> Iterator[Podman]:
    config = tmp_path / "containers.conf"
    config.write_text(
        f"""
[network]
network_backend = "cni"
network_config_dir = "{tmp_path}/net"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
conmon_path = ["{programs.podman}/run/conmon"]
tmp_dir = "{tmp_path}/libpod"
static_dir = "{tmp_path}/static"
volume_path = "{tmp_path}/volumes"
[engine.runtimes]
runc = ["{programs.podman}/run/runc", "{programs.containerd}/run/runc"]
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
pids_limit = 0
"""
    )
    storage = tmp_path / "storage.conf"
    storage.write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{tmp_path}/graph"\nrunroot = "{tmp_path}/run"\n'
    )
    env = programs.env | {
        "CONTAINERS_CONF": str(config),
        "CONTAINERS_STORAGE_CONF": str(storage),
        "TMPDIR": str(tmp_path),
    }
    socket = tmp_path / "podman.sock"
    made = Podman(env, str(socket), cgroup_parent)
    made("import", "-", "localhost/skep:1", data=layer(programs.busybox))
    serve = ("podman", "system", "service", "--time=0", f"unix://{socket}")
    with daemon(env, tmp_path / "log", socket.exists, *serve):
        try:
            yield made
        finally:
            made("rm", "--all", "--force", "--time=0")


@dataclass(frozen=True)
class Docker:
    """A Docker with its API on ``socket``."""

    env: dict[str, str]
    socket: str

    def __call__(self, *arguments: str, data: bytes = b"") -> str:
        return run(self.env, "docker", f"--host=unix://{self.socket}", *arguments, data=data)

    def start(self, *arguments: str) -> str:
        """A container that sleeps, with options; its id."""
        return self("run", "--detach", "--network=none", *arguments, "skep:1", "sleep", "1000")


@pytest.fixture
def docker(programs: Programs, tmp_path: Path, cgroup_parent: str, tidy: None) -> Iterator[Docker]:
    """In a network namespace of its own, where it may make nothing."""
    socket, config = tmp_path / "d.sock", tmp_path / "d.json"
    config.write_text(
        json.dumps(
            {
                "hosts": [f"unix://{socket}"],
                "data-root": str(tmp_path / "d"),
                "exec-root": str(tmp_path / "e"),
                "pidfile": str(tmp_path / "d.pid"),
                "bridge": "none",
                "iptables": False,
                "ip6tables": False,
                "ip-forward": False,
                "ip-masq": False,
                "storage-driver": "vfs",
                "cgroup-parent": f"{cgroup_parent}/docker",
                "exec-opts": ["native.cgroupdriver=cgroupfs"],
                "oom-score-adjust": 0,
            }
        )
    )
    made = Docker(programs.env, str(socket))
    serve = ("unshare", "--net", programs.docker / "run/dockerd", "--config-file", config)
    with daemon(programs.env, tmp_path / "log", socket.exists, *serve):
        try:
            made("import", "-", "skep:1", data=layer(programs.busybox))
            yield made
        finally:
            for container in made("ps", "--all", "--quiet").split():
                made("rm", "--force", container)


@dataclass(frozen=True)
class Containerd:
    """A containerd with CRI on ``socket``."""

    socket: str
    parent: str

    def __call__(self, method: str, request: bytes) -> Fields:
        return decode(
            asyncio.run(unary(self.socket, f"/runtime.v1.RuntimeService/{method}", request))
        )


@pytest.fixture
def containerd(
    programs: Programs, tmp_path: Path, cgroup_parent: str, tidy: None
) -> Iterator[Containerd]:
    socket = tmp_path / "c.sock"
    config = tmp_path / "config.toml"
    config.write_text(
        f"""
version = 2
root = "{tmp_path}/root"
state = "{tmp_path}/state"
[grpc]
address = "{socket}"
[plugins."io.containerd.internal.v1.opt"]
path = "{tmp_path}/opt"
[plugins."io.containerd.grpc.v1.cri"]
restrict_oom_score_adj = true
disable_apparmor = true
disable_hugetlb_controller = true
sandbox_image = "localhost/pause:1"
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "native"
[plugins."io.containerd.grpc.v1.cri".cni]
conf_dir = "{tmp_path}/net"
"""
    )
    archive = tmp_path / "pause.tar"
    image(archive, layer(programs.busybox), "localhost/pause:1")

    def ready() -> bool:
        ask = ("ctr", "-a", str(socket), "version")
        return (
            subprocess.run(ask, env=programs.env, capture_output=True, check=False).returncode == 0
        )

    with daemon(programs.env, tmp_path / "log", ready, "containerd", "-c", config):
        run(programs.env, "ctr", "-a", socket, "-n", "k8s.io", "image", "import", archive)
        yield Containerd(str(socket), cgroup_parent)
