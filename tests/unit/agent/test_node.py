"""What the agent says of itself, and how it takes a new configuration."""

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from skep.agent import processes
from skep.agent.engine import Engine
from skep.agent.report import families
from skep.api import metrics
from skep.api.query import Query
from skep.base.clock import SECOND, boot_ns, wall_offset_ns
from skep.base.config import Config, Metrics, Store
from skep.base.errors import BadInput
from tests.unit.agent.fake_engine import QUIET, engine, node
from tests.unit.agent.followers import taking, unexpected
from tests.unit.agent.samples import execs


@pytest.fixture(name="made")
def made_engine() -> Iterator[Engine]:
    made = engine()
    yield made
    made.receiver.close()


def test_status_tells_what_is_on_refused_and_used_instead(made: Engine) -> None:
    found = node(made).status()
    powers = {row["power"]: row for row in found["powers"]}  # type: ignore[attr-defined]
    assert [row["state"] for row in powers.values()] == ["on", "refused", "instead"]
    assert powers["drops"]["refused"] == [{"hook": "tp_btf kfree_skb", "reason": "too old"}]
    assert powers["drops"]["hook"] == ""
    assert powers["exit"]["hook"] == "tp_btf sched_process_exec"
    assert (found["pid"], found["instance"]) == (os.getpid(), "lab")


def test_summary_counts_events_losses_and_costs(made: Engine) -> None:
    made.journal.take([execs(1, 2)], 0)
    made.programs.misses = 4  # type: ignore[attr-defined]
    found = node(made).summary()
    assert found["events"] == {"exec": 2, "exit": 0}
    assert found["kernel_bytes"] == 1 << 20
    assert found["memory_bytes"] > 1 << 20  # type: ignore[operator]
    losses = {row["queue"]: row["lost"] for row in found["losses"]}  # type: ignore[attr-defined]
    assert losses == {
        "programs": 4,
        "blocks": 0,
        "definitions": 0,
        "notes": 0,
        "long values": 0,
        "clients": 0,
    }
    drop = {"reason": "NO_SOCKET", "location": "0x10", "total": 50, "told": 16}
    assert found["drops"] == [drop]


def test_metrics_have_names_of_one_kind_and_a_value_each(made: Engine) -> None:
    made.journal.take([execs(1)], 0)
    text = metrics.text(families(node(made).facts())).decode()
    assert 'skep_events_total{kind="exec"} 1\n' in text
    assert 'skep_dropped_packets_total{reason="NO_SOCKET",location="0x10"} 50\n' in text
    assert 'skep_map_bytes{map="lifecycle",type="ringbuf"} 1048576\n' in text
    for line in text.splitlines():
        if line.startswith("# TYPE"):
            _, _, name, kind = line.split()
            assert name.startswith("skep_")
            assert name.endswith("_total") is (kind == "counter")


def test_a_kind_that_is_watched_is_counted_before_its_first_event(made: Engine) -> None:
    text = metrics.text(families(node(made).facts())).decode()
    counted = [line for line in text.splitlines() if line.startswith("skep_events_total")]
    # the kernel refuses what drops take
    assert counted == ['skep_events_total{kind="exec"} 0', 'skep_events_total{kind="exit"} 0']


def test_a_reload_puts_into_force_what_can_be(made: Engine) -> None:
    wanted: Config = replace(
        QUIET,
        log="debug",
        store=Store(events=5_000),
        metrics=Metrics(enabled=True),
        users=False,
    )
    told: list[Config] = []
    found = node(made, load=lambda: wanted, reloaded=told.append).reload()
    assert found == {"changed": ["log", "metrics", "store"], "after_restart": ["users"]}
    assert made.journal.store.bounds.events == 5_000
    assert told[0].users
    assert (told[0].metrics.enabled, told[0].log) == (True, "debug")


def test_its_time_is_that_of_its_process_as_its_cpu_is(made: Engine) -> None:
    lived = (boot_ns() - processes.identity(os.getpid()).started_ns) / SECOND
    assert lived <= node(made).facts().seconds < lived + 60


def test_what_is_asked_comes_from_the_engine_and_the_kernel(made: Engine) -> None:
    stopped: list[int] = []
    asked = node(made, stop=lambda: stopped.append(1), probe=lambda: {"features": [7]})
    made.journal.take([execs(1, 2)], 0)
    assert asked.features() == {"features": [7]}
    assert b"".join(asked.stored(Query(last=5))).count(b"\n") == 2
    got: list[bytes] = []
    end = asked.follow(Query(follow=True), taking(got), unexpected)
    assert asked.facts().followers == 1
    end()
    assert asked.facts().followers == 0
    assert abs(asked.now() - (boot_ns() + wall_offset_ns())) < 60 * SECOND
    asked.stop()
    assert stopped == [1]


def test_an_engine_s_warnings_stand_behind_those_of_the_start(made: Engine) -> None:
    asked = node(made)
    asked.warnings = ["first"]
    made.warnings.append("second")
    assert asked.status()["warnings"] == ["first", "second"]


def test_a_wrong_configuration_changes_nothing(made: Engine) -> None:
    def load() -> Config:
        raise BadInput("skep.yaml:1: x", "unknown key")

    told: list[Config] = []
    with pytest.raises(BadInput):
        node(made, load=load, reloaded=told.append).reload()
    assert told == []
    assert made.settings is QUIET
