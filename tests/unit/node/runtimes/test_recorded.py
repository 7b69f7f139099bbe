"""What real runtimes answered: containerd 1.6.20 and podman 4.3.1, byte for byte but for paths.

Recorded of a pod with one privileged container, and of a plain privileged container. The folder's
kernel tests (tests/kernel/node) ask the living ones.
"""

import json
from pathlib import Path

from skep.model.container import Container, Mount, Pod
from skep.node.runtimes import protobuf as pb
from skep.node.runtimes.cri import read_container, read_sandbox
from skep.node.runtimes.docker import read_inspect

RECORDED = Path(__file__).parent / "recorded"
SANDBOX = "21c736dedff1198879c39073c149b384c6271ea84e69025b094c1c85a088b076"
WEB = "d76f0e71a82b251e1c22be029d2b5164139bc5a7819953b14ccfe92aea565243"
PODMAN = "b8a77c5239514c21799e2d99e084a46b54b137c969ad6727317737110805b8c8"
UID = "72f7f152-440c-66ac-9084-e0fc1d8a910c"


def answer(name: str) -> bytes:
    return (RECORDED / f"containerd-1.6.20-{name}.bin").read_bytes()


def test_containerd_says_its_name() -> None:
    assert pb.text(pb.decode(answer("Version")), 2) == "containerd"


def test_containerd_tells_of_a_container() -> None:
    found, sandbox = read_container(answer("ContainerStatus"), "containerd")
    assert sandbox == SANDBOX
    assert found == Container(
        WEB,
        "containerd",
        "web",
        "localhost/pause:1",
        privileged=True,
        pid=22830,
        mounts=(Mount("/srv/shop/data/v1", "/data", read_only=True),),
        labels=(("team", "x"),),
        pod=Pod("shop", "web-0", UID),
    )


def test_containerd_tells_of_a_sandbox_and_its_pod() -> None:
    found, pod = read_sandbox(answer("PodSandboxStatus"), "containerd")
    assert pod == Pod("shop", "web-0", UID, (("app", "web"),))
    assert (found.id, found.image, found.sandbox, found.pid) == (
        SANDBOX,
        "localhost/pause:1",
        True,
        22793,
    )


def test_podman_tells_of_a_container() -> None:
    inspected = json.loads((RECORDED / "podman-4.3.1-inspect.json").read_bytes())
    assert read_inspect(inspected, "podman") == Container(
        PODMAN,
        "podman",
        "web1",
        "localhost/skep-test:1",
        privileged=True,
        pid=21670,
        mounts=(Mount("/srv/shop/data/v1", "/data", read_only=True),),
        labels=(("team", "shop"),),
    )
