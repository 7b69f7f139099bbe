"""Living runtimes: who a process in a container is, from its cgroup to name, image and pod."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from skep.model.container import Container, Pod
from skep.node.attribution import Attribution
from skep.node.cgroup_files import CgroupFiles
from skep.node.cgroup_table import CgroupTable
from skep.node.containers import Definitions
from skep.node.proc import alive
from skep.node.processes import ProcessTable
from skep.node.runtimes.client import Client
from skep.node.runtimes.cri import Cri
from skep.node.runtimes.directory import Directory
from skep.node.runtimes.docker import Docker as DockerApi
from skep.node.runtimes.memory import Memory
from skep.node.runtimes.podman import Podman as PodmanApi
from skep.node.runtimes.protobuf import encode, text
from skep.testing.runtimes import pairs
from tests.kernel.node.conftest import Containerd, Docker, Podman

pytestmark = pytest.mark.native("runs container daemons")
UID = "72f7f152-440c-66ac-9084-e0fc1d8a910c"
LABELS = {
    "io.kubernetes.pod.name": "web-0",
    "io.kubernetes.pod.namespace": "shop",
    "io.kubernetes.pod.uid": UID,
}


def who(pid: int, client: Client) -> dict[str, Any]:
    """The finished fragment of a process that lives, once it is the program that its container runs."""
    while Path(f"/proc/{pid}/comm").read_text() != "sleep\n":
        time.sleep(0.01)
    files = CgroupFiles()
    cgroups = CgroupTable(files)
    table = ProcessTable(Attribution(cgroups), place=cgroups.place)
    rows = {row.pid: row for row in alive(files)}
    now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    table.seed(rows.values(), now)
    row = rows[pid]
    event = {"pid": pid, "time": now, "uid": row.uid, "cgroup": row.cgroup, "comm": row.comm}
    (ref,) = table.resolve({name: [value] for name, value in event.items()})

    async def join() -> bytes:
        done = asyncio.Event()

        def learn(container: Container) -> None:
            definitions.learn(container)
            done.set()

        directory = Directory([client], learn, print, clock=asyncio.get_running_loop().time)
        definitions = Definitions(directory.ask)
        definitions.add(table.definitions())
        task = asyncio.create_task(directory.run())
        await done.wait()
        task.cancel()
        return definitions[ref].text

    text = asyncio.run(join()).removeprefix(b",")
    fragment: dict[str, Any] = json.loads(b"{" + text + b"}")
    return fragment


async def given_up(client: Client, container: str) -> str:
    """The id of a container that no runtime knows, once the directory says so."""
    said: asyncio.Queue[str] = asyncio.Queue()
    clock = asyncio.get_running_loop().time
    directory = Directory(
        [client], print, said.put_nowait, clock=clock, memory=Memory(retries=(0.0,))
    )
    directory.ask(container)
    task = asyncio.create_task(directory.run())
    found = await said.get()
    task.cancel()
    assert directory.faults == {}
    return found


def test_a_process_in_podman_has_its_containers_name_and_image(podman: Podman) -> None:
    made = podman.start("--name=web1")
    pid = int(podman("inspect", "-f", "{{.State.Pid}}", "web1"))
    client = PodmanApi(podman.socket)
    found = who(pid, client)
    assert found["comm"] == "sleep"
    assert found["container"] == {
        "id": made,
        "name": "web1",
        "image": "localhost/skep:1",
        "runtime": "podman",
    }
    assert [a["comm"] for a in found["ancestors"]][:1] == ["conmon"]
    podman("rm", "--force", "--time=0", "web1")
    assert asyncio.run(given_up(client, made)) == made


def test_a_process_in_docker_has_its_containers_name_and_image(docker: Docker) -> None:
    made = docker.start("--name=web1")
    pid = int(docker("inspect", "--format={{.State.Pid}}", "web1"))
    client = DockerApi(docker.socket)
    found = who(pid, client)
    assert found["comm"] == "sleep"
    assert found["container"] == {
        "id": made,
        "name": "web1",
        "image": "skep:1",
        "runtime": "docker",
    }
    assert [a["comm"] for a in found["ancestors"]][:1] == ["containerd-shim"]
    docker("rm", "--force", "web1")
    assert asyncio.run(given_up(client, made)) == made


def test_what_docker_says_of_privileges_mounts_and_labels(docker: Docker, tmp_path: Path) -> None:
    labels = [f"--label={name}={value}" for name, value in LABELS.items()]
    options = ("--privileged", "--label=team=shop", *labels, "-v", f"{tmp_path}:/data:ro")
    made = docker("create", *options, "skep:1", "sleep")
    found = asyncio.run(DockerApi(docker.socket).inspect(made))
    assert found is not None
    assert found.privileged
    assert [(m.source, m.destination, m.read_only) for m in found.mounts] == [
        (str(tmp_path), "/data", True)
    ]
    assert found.labels == (("team", "shop"),)
    assert found.pod == Pod("shop", "web-0", UID)


def test_what_podman_says_of_privileges_mounts_and_labels(podman: Podman, tmp_path: Path) -> None:
    made = podman.start("--privileged", "--label=team=shop", "-v", f"{tmp_path}:/data:ro")
    found = asyncio.run(PodmanApi(podman.socket).inspect(made))
    assert found is not None
    assert found.privileged
    assert [(m.source, m.destination, m.read_only) for m in found.mounts] == [
        (str(tmp_path), "/data", True)
    ]
    assert found.labels == (("team", "shop"),)


def test_a_process_in_a_pod_of_podman_has_its_pod(podman: Podman) -> None:
    pod = podman("pod", "create", "--name=shop", "--label=team=shop", "--infra=false")
    made = podman.start("--pod=shop", "--name=web1")
    client = PodmanApi(podman.socket)
    found = who(int(podman("inspect", "-f", "{{.State.Pid}}", "web1")), client)
    assert found["container"]["name"] == "web1"
    assert found["pod"] == {"name": "shop", "uid": pod}
    container = asyncio.run(client.inspect(made))
    assert container is not None
    assert container.pod == Pod("", "shop", pod, (("team", "shop"),))
    podman("pod", "rm", "--force", "--time=0", "shop")


def parent(containerd: Containerd) -> str:
    return f"{containerd.parent}/kubepods/besteffort/pod{UID}"


@contextmanager
def pod(containerd: Containerd) -> Iterator[tuple[str, str]]:
    """A pod in the host's network with one container; (sandbox, container)."""
    on_host = encode(1, encode(1, 2))
    config = encode(1, encode(1, "web-0") + encode(2, UID) + encode(3, "shop"))
    config += pairs(6, LABELS | {"app": "web"})
    config += encode(8, encode(1, parent(containerd)) + encode(2, on_host))
    sandbox = text(containerd("RunPodSandbox", encode(1, config)), 1)
    try:
        container = encode(1, encode(1, "web")) + encode(2, encode(1, "localhost/pause:1"))
        container += pairs(9, LABELS | {"io.kubernetes.container.name": "web"})
        container += encode(15, encode(2, encode(3, encode(1, 2))))
        create = encode(1, sandbox) + encode(2, container) + encode(3, config)
        made = text(containerd("CreateContainer", create), 1)
        containerd("StartContainer", encode(1, made))
        yield sandbox, made
    finally:
        containerd("StopPodSandbox", encode(1, sandbox))
        containerd("RemovePodSandbox", encode(1, sandbox))


def test_a_process_in_a_pod_has_its_pod(containerd: Containerd) -> None:
    client = Cri(containerd.socket)
    with pod(containerd) as (sandbox, made):
        container = asyncio.run(client.inspect(made))
        assert container is not None
        assert container.pod is not None
        assert container.pod.labels == (("app", "web"),)
        found = who(container.pid, client)
        assert found["cgroup"] == f"{parent(containerd)}/{made}"
        assert found["container"]["name"] == "web"
        assert found["container"]["image"] == "localhost/pause:1"
        assert found["pod"] == {"namespace": "shop", "name": "web-0", "uid": UID}
        pause = asyncio.run(client.inspect(sandbox))
        assert pause is not None
        assert pause.sandbox
        assert pause.pod == container.pod
    assert asyncio.run(given_up(client, made)) == made
