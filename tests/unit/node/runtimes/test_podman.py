"""Podman's own API beside Docker's: pods."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from skep.model.container import Container, Pod
from skep.node.runtimes.podman import Podman
from skep.testing.runtimes import FakeDocker

A = "b2a102854b4969b2ce98dc329c86b4fb2b06e4ad2cc8da9d8a7578c9cd2004a2"
POD = "05c48c82caff3be3d7f1e896981dd410e81487538936914f32b624d168de9db0"
WEB: dict[str, Any] = {"Id": A, "Name": "/web", "Config": {"Image": "nginx"}}
OWN, PODS = f"/v4.0.0/libpod/containers/{A}", f"/v4.0.0/libpod/pods/{POD}"
SHOP = {"Id": POD, "Name": "shop", "Labels": {"team": "x"}}


def ask(tmp_path: Path, answers: dict[str, Any]) -> tuple[Container | None, list[str]]:
    """What is told of a container, and what was asked for."""
    fake = FakeDocker(answers)

    async def main() -> Container | None:
        async with fake.at(str(tmp_path / "podman.sock")) as socket:
            return await Podman(socket).inspect(A)

    return asyncio.run(main()), [path.removesuffix("/json") for path in fake.asked]


def test_a_container_has_the_pod_that_podman_put_it_in(tmp_path: Path) -> None:
    found, asked = ask(tmp_path, {A: WEB, OWN: {"Pod": POD, "IsInfra": False}, PODS: SHOP})
    assert found == Container(
        A, "podman", "web", "nginx", pod=Pod("", "shop", POD, (("team", "x"),))
    )
    assert asked == [f"/containers/{A}", OWN, PODS]


def test_the_container_that_holds_a_pods_namespaces_is_told_apart(tmp_path: Path) -> None:
    found, _ = ask(tmp_path, {A: WEB, OWN: {"Pod": POD, "IsInfra": True}, PODS: SHOP})
    assert found is not None
    assert found.sandbox


@pytest.mark.parametrize(
    "own",
    [None, {}, {"Pod": ""}, {"Pod": 3}, {"Pod": "../x"}, {"Pod": POD}, [], "x"],
    ids=["older", "none", "empty", "number", "no id", "gone", "list", "text"],
)
def test_a_container_in_no_pod_or_in_one_that_is_gone_has_none(tmp_path: Path, own: Any) -> None:  # noqa: ANN401 - any JSON
    found, _ = ask(tmp_path, {A: WEB} | ({} if own is None else {OWN: own}))
    assert found == Container(A, "podman", "web", "nginx")


def test_a_pod_of_kubernetes_goes_before_and_nothing_more_is_asked(tmp_path: Path) -> None:
    labels = {"io.kubernetes.pod.name": "web-0", "io.kubernetes.pod.namespace": "shop"}
    found, asked = ask(tmp_path, {A: WEB | {"Config": {"Labels": labels}}, OWN: {"Pod": POD}})
    assert found is not None
    assert found.pod == Pod("shop", "web-0")
    assert asked == [f"/containers/{A}"]


def test_one_that_has_ended_is_unknown(tmp_path: Path) -> None:
    assert ask(tmp_path, {}) == (None, [f"/containers/{A}"])
