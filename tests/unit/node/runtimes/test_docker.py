"""Docker's and Podman's API, asked over a real unix socket."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep.model.container import Container, Mount, Pod
from skep.node.runtimes.client import NoAnswer
from skep.node.runtimes.docker import Docker, read_inspect
from skep.testing.runtimes import FakeDocker

A = "b2a102854b4969b2ce98dc329c86b4fb2b06e4ad2cc8da9d8a7578c9cd2004a2"
B = "05c48c82caff3be3d7f1e896981dd410e81487538936914f32b624d168de9db0"

PLAIN: dict[str, Any] = {
    "Id": A,
    "Name": "/web",
    "Created": "2026-01-01T00:00:00Z",
    "State": {"Status": "running", "Running": True, "Pid": 4711},
    "Image": "sha256:0123",
    "Config": {"Image": "nginx:1.27", "Labels": {"team": "shop", "odd": 3}},
    "HostConfig": {"Privileged": True},
    "Mounts": [
        {"Type": "bind", "Source": "/srv", "Destination": "/data", "RW": False},
        {"Type": "volume", "Name": "v", "Source": "/var/v/_data", "Destination": "/v", "RW": True},
    ],
}
IN_POD: dict[str, Any] = PLAIN | {
    "Name": "/k8s_web_web-0_shop_uid_0",
    "Config": {
        "Image": "nginx:1.27",
        "Labels": {
            "io.kubernetes.container.name": "web",
            "io.kubernetes.pod.name": "web-0",
            "io.kubernetes.pod.namespace": "shop",
            "io.kubernetes.pod.uid": "uid",
            "io.kubernetes.docker.type": "container",
        },
    },
}


def ask(fake: FakeDocker, tmp_path: Path, container: str = A) -> Container | None:
    async def main() -> Container | None:
        async with fake.at(str(tmp_path / "docker.sock")) as socket:
            return await Docker(socket).inspect(container)

    return asyncio.run(main())


def test_a_plain_container(tmp_path: Path) -> None:
    fake = FakeDocker({A: PLAIN})
    assert ask(fake, tmp_path) == Container(
        A,
        "docker",
        "web",
        "nginx:1.27",
        privileged=True,
        pid=4711,
        mounts=(Mount("/srv", "/data", read_only=True), Mount("/var/v/_data", "/v")),
        labels=(("team", "shop"),),
    )
    assert fake.asked == [f"/containers/{A}/json"]


def test_a_container_of_a_pod_is_called_as_in_the_pod(tmp_path: Path) -> None:
    found = ask(FakeDocker({A: IN_POD}), tmp_path)
    assert found is not None
    assert (found.name, found.pod) == ("web", Pod("shop", "web-0", "uid"))
    assert found.labels == (("io.kubernetes.docker.type", "container"),)


@pytest.mark.parametrize("size", [1, 7, 1_000_000])
def test_chunks_of_any_size(tmp_path: Path, size: int) -> None:
    found = ask(FakeDocker({A: PLAIN}, chunked=size), tmp_path)
    assert found is not None
    assert found.name == "web"


def test_one_that_has_ended_is_unknown(tmp_path: Path) -> None:
    assert ask(FakeDocker({A: PLAIN}), tmp_path, B) is None


def test_another_that_answers_to_the_name_is_not_it(tmp_path: Path) -> None:
    assert ask(FakeDocker({B: PLAIN}), tmp_path, B) is None


@pytest.mark.parametrize("name", ["../../etc", "a b", "web1", "", "a\r\nX: y", "A" * 64])
def test_what_is_no_id_is_not_asked_for(tmp_path: Path, name: str) -> None:
    fake = FakeDocker()
    assert ask(fake, tmp_path, name) is None
    assert fake.asked == []


MUCH = b" " * (9 << 20)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "malformed answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}", "malformed answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}", "malformed answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}", "malformed answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + MUCH, "too many"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "malformed answer"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n" + MUCH, "too many"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{!", "malformed answer"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100_000, "malformed answer"),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "HTTP status 500"),
        (b"SSH-2.0-x\r\n\r\n", "malformed answer"),
        (b"\r\n\r\n", "malformed answer"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000, "malformed answer"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + MUCH, "too many"),
    ],
)
def test_nonsense_is_one_clear_error(tmp_path: Path, raw: bytes, reason: str) -> None:
    with pytest.raises(NoAnswer, match=reason) as caught:
        ask(FakeDocker(raw=raw), tmp_path)
    assert str(caught.value).startswith(str(tmp_path / "docker.sock"))


def test_a_body_without_a_length_ends_with_the_connection(tmp_path: Path) -> None:
    with pytest.raises(NoAnswer, match="malformed"):
        ask(FakeDocker(raw=b"HTTP/1.1 200 OK\r\n\r\n{"), tmp_path)
    raw = b'HTTP/1.1 200 OK\r\n\r\n{"Id":"%b","Name":"/x"}' % A.encode()
    found = ask(FakeDocker(raw=raw), tmp_path)
    assert found is not None
    assert found.name == "x"


def test_no_socket_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(NoAnswer, match="No such file or directory"):
        asyncio.run(Docker(str(tmp_path / "none")).inspect(A))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*PLAIN, "Labels", "Privileged", "Pid"]), inner)
    ),
    max_leaves=12,
)


@given(JSON)
def test_an_answer_of_any_shape_is_read(answer: object) -> None:
    assert isinstance(read_inspect(answer, "docker").name, str)
