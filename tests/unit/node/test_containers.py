"""The join of fragments and runtimes' answers, in whatever order they come."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from skep.model.container import Container, Pod
from skep.node.attribution import cgroup_piece
from skep.node.cgroups import Cgroup, read_path
from skep.node.containers import Definitions, container_of, enrich
from skep.node.jsontext import json_text

A = "b2a102854b4969b2ce98dc329c86b4fb2b06e4ad2cc8da9d8a7578c9cd2004a2"
UID = "72f7f152-440c-66ac-9084-e0fc1d8a910c"
WEB = Container(A, "containerd", "web", "nginx:1.27", pod=Pod("shop", "web-0", UID))


def fragment(path: str, comm: bytes = b"x") -> bytes:
    piece = cgroup_piece(read_path(path))
    return b'"pid":5,"comm":' + json_text(comm) + piece + b',"ancestors":[{"pid":1,"comm":"init"}]'


def read(text: bytes) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(b"{" + text + b"}")
    return value


IN_POD = fragment(f"/kubepods/besteffort/pod{UID}/{A}")
IN_DOCKER = fragment(f"/docker/{A}")
OUTSIDE = fragment("/system.slice/ssh.service")


def test_the_container_of_a_fragment() -> None:
    assert container_of(IN_POD) == (A, "")
    assert container_of(IN_DOCKER) == (A, "docker")
    assert container_of(OUTSIDE) is None


def test_names_take_the_place_of_the_bare_id() -> None:
    assert read(enrich(IN_POD, WEB)) == read(IN_POD) | {
        "container": {"id": A, "name": "web", "image": "nginx:1.27", "runtime": "containerd"},
        "pod": {"namespace": "shop", "name": "web-0", "uid": UID},
    }


def test_the_pod_of_the_path_stays_where_the_runtime_tells_of_none() -> None:
    told = read(enrich(IN_POD, Container(A, "docker", "web")))
    assert told["pod"] == {"uid": UID}
    assert told["container"] == {"id": A, "name": "web", "runtime": "docker"}


def test_a_comm_that_looks_like_a_container_is_none() -> None:
    text = fragment("/", b'"container":{"id":"x"}')
    assert container_of(text) is None
    assert enrich(text, WEB) == text


@given(st.binary(max_size=40), st.text(max_size=20), st.text(max_size=20))
def test_whatever_names_there_are_the_json_is_valid(comm: bytes, name: str, image: str) -> None:
    path = Cgroup("/x", container=name or "c", runtime="lxc", pod=UID)
    text = b'"comm":' + json_text(comm) + cgroup_piece(path)
    found = container_of(text)
    assert found == (name or "c", "lxc")
    told = read(enrich(text, Container(found[0], "lxc", name, image, pod=Pod(name, image))))
    assert told["container"].get("image", "") == image


class Asker:
    """Answers that a test has ready, and the questions that were put."""

    def __init__(self) -> None:
        self.ready: dict[str, Container] = {}
        self.asked: list[tuple[str, str]] = []

    def ask(self, container: str, runtime: str) -> Container | None:
        self.asked.append((container, runtime))
        return self.ready.get(container)


def test_a_known_container_is_joined_at_once() -> None:
    asker = Asker()
    asker.ready[A] = WEB
    definitions = Definitions(asker.ask)
    definitions.add([(1, IN_POD), (2, OUTSIDE)])
    assert read(definitions[1].text)["pod"]["name"] == "web-0"
    assert definitions[2].text == OUTSIDE
    assert asker.asked == [(A, "")]


def test_an_answer_completes_what_waited_for_it() -> None:
    definitions = Definitions(Asker().ask)
    definitions.add([(1, IN_POD), (2, IN_DOCKER)])
    event_holds = definitions[1]
    assert event_holds.text == IN_POD
    definitions.learn(WEB)
    assert read(event_holds.text)["container"]["name"] == "web"
    assert read(definitions[2].text)["container"]["name"] == "web"


def test_a_container_that_ended_while_it_was_asked_about_still_gets_its_name() -> None:
    definitions = Definitions(Asker().ask)
    definitions.add([(1, IN_POD)])
    event_holds = definitions[1]
    definitions.retire([1, 77])
    assert len(definitions) == 0
    definitions.learn(WEB)
    assert read(event_holds.text)["container"]["name"] == "web"


def test_an_unknown_container_keeps_its_id() -> None:
    definitions = Definitions(Asker().ask)
    definitions.add([(1, IN_POD)])
    definitions.unknown(A)
    definitions.learn(WEB)
    assert definitions[1].text == IN_POD


def test_what_waits_is_bounded() -> None:
    definitions = Definitions(Asker().ask)
    definitions.add((i, IN_POD) for i in range(5_000))
    assert sum(len(each) for each in definitions._waiting.values()) <= 1_024
    definitions.add((i, fragment(f"/docker/{i:064x}")) for i in range(5_000, 10_000))
    assert sum(len(each) for each in definitions._waiting.values()) <= 1_024
    assert len(definitions) == 10_000
