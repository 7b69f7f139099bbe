"""What the drain sends becomes events that can be asked for, over real shared memory."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from skep.agent.intake import Intake
from skep.agent.journal import Journal
from skep.agent.lines import Writer
from skep.agent.store import Bounds
from skep.api.query import Query
from skep.events.batch import Batch
from skep.events.blocks import Receiver, Sender
from skep.events.record import Record
from skep.flows.programs.records import Drop
from skep.model.container import Container, Pod
from skep.node.programs.records import Exec, Exit
from tests.unit.agent.samples import FORMATTERS, RECORDS

KINDS = frozenset({"exec", "drop"})
ID = "ab" * 32


class Scene:
    """An intake and the sender of its drain."""

    def __init__(self) -> None:
        self.receiver = Receiver(RECORDS, 8 << 20)
        self.asked: list[tuple[str, str]] = []
        self.journal = Journal(Bounds(1 << 30, 1 << 30, 1 << 60), Writer(FORMATTERS))
        self.intake = Intake(self.receiver, self.journal, KINDS, offset=lambda: 1000, ask=self._ask)
        self.sender = self.drain()

    def _ask(self, container: str, runtime: str) -> Container | None:
        self.asked.append((container, runtime))
        return None

    def drain(self) -> Sender:
        """Another drain."""
        return Sender(self.receiver.memory, self.receiver.connect())

    def send(self, record: type[Record], *times: int, ref: int = 1) -> None:
        made = Batch.of(record, [record(time=time, seq=time) for time in times])
        self.sender.send(made.extended(ref=np.full(len(times), ref, "u8")))

    def lines(self) -> list[dict[str, Any]]:
        stored = b"".join(self.journal.stored(Query()))
        return [json.loads(line) for line in stored.splitlines()]


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene()
    yield made
    made.sender.close()
    made.receiver.close()


def test_events_name_who_was_defined_before(scene: Scene) -> None:
    scene.sender.define(1, b'"pid":7,"comm":"sh"')
    scene.send(Exec, 1, 2)
    scene.send(Exec, 3, ref=99)
    scene.intake.take()
    assert [(line["seq"], line.get("comm")) for line in scene.lines()] == [
        (1, "sh"),
        (2, "sh"),
        (3, None),
    ]


def test_what_came_together_is_one_pulse(scene: Scene) -> None:
    scene.send(Drop, 5)
    scene.send(Exec, 1)
    scene.intake.take()
    scene.intake.take()
    assert scene.journal.store.next == 1
    assert [line["kind"] for line in scene.lines()] == ["exec", "drop"]


def test_what_piled_up_is_several_pulses(scene: Scene) -> None:
    for turn in range(3):
        scene.send(Exec, *range(3_000 * turn, 3_000 * (turn + 1)))
        scene.send(Drop, 3_000 * turn)
    scene.intake.take()
    assert [one.rows for one in reversed([*scene.journal.store.newest_first()])] == [6_002, 3_001]
    assert [line["seq"] for line in scene.lines() if line["kind"] == "exec"] == [*range(9_000)]


def test_kinds_that_nobody_asked_for_are_not_kept(scene: Scene) -> None:
    scene.send(Exit, 1)
    scene.intake.take()
    assert scene.journal.counts == {}


def test_a_stored_event_keeps_who_it_was_after_the_end_of_the_definition(scene: Scene) -> None:
    scene.sender.define(1, b'"pid":7')
    scene.send(Exec, 1)
    scene.sender.define(1, b"")
    scene.send(Exec, 2)
    scene.intake.take()
    assert [line.get("pid") for line in scene.lines()] == [7, None]
    assert len(scene.intake.definitions) == 0


def test_an_answer_of_the_runtime_reaches_events_that_are_stored(scene: Scene) -> None:
    scene.sender.define(1, b'"pid":7,"container":{"id":"%b","runtime":"docker"}' % ID.encode())
    scene.send(Exec, 1)
    scene.intake.take()
    assert scene.asked == [(ID, "docker")]
    assert scene.lines()[0]["container"] == {"id": ID, "runtime": "docker"}
    answer = Container(ID, "docker", name="web", image="nginx", pod=Pod("shop", "web-1"))
    scene.intake.definitions.learn(answer)
    (line,) = scene.lines()
    assert (line["container"]["name"], line["pod"]["name"]) == ("web", "web-1")


def test_notes_are_the_accounts(scene: Scene) -> None:
    scene.sender.note(b'{"rings":{}}')
    scene.intake.take()
    assert scene.intake.accounts == {"rings": {}}


def test_the_refs_of_another_drain_are_others(scene: Scene) -> None:
    scene.sender.define(1, b'"comm":"old"')
    scene.send(Exec, 1)
    scene.sender.close()
    scene.intake.renew()
    scene.sender = scene.drain()
    scene.send(Exec, 2)
    scene.intake.take()
    assert [line.get("comm") for line in scene.lines()] == ["old", None]
