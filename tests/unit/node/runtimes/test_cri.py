"""The Kubernetes container runtime interface, asked over a real unix socket."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from skep.model.container import Container, Mount, Pod
from skep.node.runtimes import grpc
from skep.node.runtimes.client import NoAnswer
from skep.node.runtimes.cri import Cri, read_container
from skep.testing.runtimes import FakeCri, container_status, sandbox_status

A = "b2a102854b4969b2ce98dc329c86b4fb2b06e4ad2cc8da9d8a7578c9cd2004a2"
B = "05c48c82caff3be3d7f1e896981dd410e81487538936914f32b624d168de9db0"
POD = Pod("shop", "web-0", "uid-1", (("app", "web"),))
LABELS = {
    "io.kubernetes.container.name": "web",
    "io.kubernetes.pod.name": "web-0",
    "io.kubernetes.pod.namespace": "shop",
    "io.kubernetes.pod.uid": "uid-1",
}
CONTAINERD_INFO: dict[str, Any] = {
    "sandboxID": B,
    "pid": 4711,
    "config": {"linux": {"security_context": {"privileged": True}}},
    "runtimeSpec": {"process": {"args": ["x" * 200_000]}},
}


def fake(**options: Any) -> FakeCri:  # noqa: ANN401 - FakeCri's
    web = container_status(
        A,
        "web",
        "docker.io/library/nginx:1.27",
        labels=LABELS,
        info=CONTAINERD_INFO,
        mounts=[("/var/lib/x", "/etc/hosts", False), ("/srv", "/data", True)],
    )
    sandbox = sandbox_status(B, "shop", "web-0", "uid-1", {"app": "web"} | LABELS)
    return FakeCri({A: web}, {B: sandbox}, **options)


def ask(server: FakeCri, tmp_path: Path, *containers: str) -> list[Container | None]:
    async def main() -> list[Container | None]:
        async with server.at(str(tmp_path / "cri.sock")) as socket:
            client = Cri(socket)
            return [await client.inspect(container) for container in containers]

    return asyncio.run(main())


WEB = Container(
    A,
    "containerd",
    "web",
    "docker.io/library/nginx:1.27",
    privileged=True,
    pid=4711,
    mounts=(Mount("/var/lib/x", "/etc/hosts"), Mount("/srv", "/data", read_only=True)),
    pod=POD,
)


def test_a_container_with_its_pod_and_an_answer_larger_than_a_window(tmp_path: Path) -> None:
    server = fake()
    assert ask(server, tmp_path, A) == [WEB]
    assert server.asked == [("Version", ""), ("ContainerStatus", A), ("PodSandboxStatus", B)]


def test_version_and_pod_are_asked_for_once(tmp_path: Path) -> None:
    server = fake()
    assert ask(server, tmp_path, A, A) == [WEB, WEB]
    assert server.asked[3:] == [("ContainerStatus", A)]


def test_a_sandbox_is_a_container_of_the_pod(tmp_path: Path) -> None:
    (found,) = ask(fake(), tmp_path, B)
    assert found == Container(B, "containerd", "POD", sandbox=True, pod=POD)


def test_one_that_has_ended_is_unknown(tmp_path: Path) -> None:
    assert ask(fake(), tmp_path, "c" * 64, A)[0] is None


def test_a_sandbox_that_ended_meanwhile_leaves_what_the_labels_say(tmp_path: Path) -> None:
    server = fake()
    server.sandboxes.clear()
    (found,) = ask(server, tmp_path, A)
    assert found is not None
    assert found.pod == Pod("shop", "web-0", "uid-1")


def test_an_older_interface_is_spoken(tmp_path: Path) -> None:
    server = fake(version="runtime.v1alpha2")
    assert ask(server, tmp_path, A, A) == [WEB, WEB]
    assert [method for method, _ in server.asked].count("Version") == 2


def test_cri_o_says_itself_what_is_privileged() -> None:
    answer = container_status(A, "web", "x", info={"privileged": True, "pid": "odd"})
    found, sandbox = read_container(answer, "cri-o")
    assert (found.privileged, found.pid, sandbox) == (True, 0, "")
    plain, _ = read_container(container_status(A, "web", "x"), "cri-o")
    assert plain.privileged is False


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"raw": b""}, "malformed answer"),
        ({"raw": b"HTTP/1.1 400 Bad Request\r\n\r\n"}, "malformed answer"),
        ({"raw": b"\0" * 100}, "malformed answer"),
        ({"status": (13, "internal")}, "gRPC status 13: internal"),
        ({"version": "runtime.v9"}, "gRPC status 12: unknown service"),
        ({"name": b"\xff".decode("latin-1"), "status": (14, "")}, "gRPC status 14"),
    ],
)
def test_trouble_is_one_clear_error(tmp_path: Path, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(NoAnswer, match=reason) as caught:
        ask(fake(**options), tmp_path, A)
    assert str(caught.value).startswith(str(tmp_path / "cri.sock"))


def test_unknown_may_come_as_words(tmp_path: Path) -> None:
    server = fake(status=(2, "container with ID starting with x not found: ID does not exist"))
    assert ask(server, tmp_path, A) == [None]


@pytest.mark.parametrize(
    "answer", [b"\x0a\xff", b"\x0a\x02\x0a\x09", container_status(A, "w", "x", info=None)[:-1]]
)
def test_a_message_that_is_cut_is_an_error(tmp_path: Path, answer: bytes) -> None:
    server = fake()
    server.containers[A] = answer
    with pytest.raises(NoAnswer, match="malformed answer"):
        ask(server, tmp_path, A)


@pytest.mark.parametrize("data", [b"", bytes(4), b"\0\0\0\0\2a", b"\1\0\0\0\1a"])
def test_what_is_not_one_plain_message_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        grpc._body(data)


def test_an_answer_that_is_too_large_is_an_error(tmp_path: Path) -> None:
    server = fake()
    server.containers[A] = bytes(9 << 20)
    with pytest.raises(NoAnswer, match="more than"):
        ask(server, tmp_path, A)


def test_no_socket_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(NoAnswer, match="No such file or directory"):
        asyncio.run(Cri(str(tmp_path / "none")).inspect(A))
