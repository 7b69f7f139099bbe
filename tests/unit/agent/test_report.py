"""What the agent says of itself: facts in, objects and metrics out."""

from dataclasses import replace
from typing import Any

import pytest

from skep.agent.dropped import DropSite
from skep.agent.losses import Loss
from skep.agent.powers import Outcome, Refusal
from skep.agent.programs import MapUse
from skep.agent.report import Facts, families, power, status, summary
from skep.agent.usage import ProcessUse, ProgramUse
from tests.unit.agent.fake_programs import DROP, EXEC, INSTEAD, WAY

AGENT = ProcessUse(
    "agent", 7, 1.25, 1000, 0, ("CAP_SYSLOG",), ("CAP_SYSLOG", "CAP_BPF"), no_new_privileges=True
)
DRAIN = ProcessUse("drain", 8, 0.5, 2000, 4096, (), (), no_new_privileges=True)
FACTS = Facts(
    version="1.2.3",
    instance="lab",
    pid=7,
    started="2026-01-31T08:00:00.000000000Z",
    seconds=12.3456,
    events={"exec": 5, "exit": 4},
    losses=[Loss("lifecycle ring", 9, 2, "the ring was full")],
    processes=[AGENT, DRAIN],
    programs=[ProgramUse(3, "on_exec", 4, 1000, 1), ProgramUse(4, "on_exit", 0, 0, 0)],
    maps=[MapUse(5, "lifecycle", "ringbuf", 300), MapUse(6, "sites", "hash", 21)],
    outcomes=[Outcome(EXEC, WAY)],
    drops=[DropSite("NO_SOCKET", "tcp_v4_rcv+0x91", 50, 16)],
    restarts=2,
    stored_events=9,
    stored_bytes=400,
    followers=3,
    metrics="127.0.0.1:9565",
    warnings=["careful"],
)


def rows(facts: Facts = FACTS) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    return {
        family.name: {tuple(sample.labels.items()): sample.value for sample in family.samples}
        for family in families(facts)
    }


def test_status_has_what_runs_and_what_it_may() -> None:
    found: dict[str, Any] = dict(status(FACTS))
    assert (found["version"], found["instance"], found["pid"]) == ("1.2.3", "lab", 7)
    assert found["seconds"] == 12.346
    agent, drain = found["processes"]
    assert (agent["effective"], agent["permitted"]) == (("CAP_SYSLOG",), ("CAP_SYSLOG", "CAP_BPF"))
    assert (drain["permitted"], drain["no_new_privileges"]) == ((), True)
    assert found["store"] == {"events": 9, "bytes": 400}
    assert (found["drain_restarts"], found["followers"]) == (2, 3)
    assert (found["metrics"], found["warnings"]) == ("127.0.0.1:9565", ["careful"])
    assert found["losses"][0]["lost"] == 2
    assert [one["name"] for one in found["maps"]] == ["lifecycle", "sites"]


@pytest.mark.parametrize(
    ("outcome", "state", "hook", "refused"),
    [
        (Outcome(EXEC, WAY), "on", WAY.hook, 0),
        (Outcome(INSTEAD, WAY, (Refusal("fexit", "policy"),)), "instead", WAY.hook, 1),
        (Outcome(DROP, None, (Refusal("a", "b"), Refusal("c", "d"))), "refused", "", 2),
    ],
)
def test_a_power_is_on_replaced_or_refused(
    outcome: Outcome, state: str, hook: str, refused: int
) -> None:
    found: dict[str, Any] = dict(power(outcome))
    assert (found["state"], found["hook"], len(found["refused"])) == (state, hook, refused)
    assert found["kinds"] == list(outcome.power.kinds)


def test_summary_adds_up() -> None:
    found: dict[str, Any] = dict(summary(FACTS))
    assert (found["cpu_seconds"], found["memory_bytes"], found["kernel_bytes"]) == (1.75, 3000, 321)
    assert [one["ns_per_run"] for one in found["programs"]] == [250.0, None]
    assert found["events"] == {"exec": 5, "exit": 4}
    assert found["drops"][0]["total"] == 50


def test_every_fact_that_is_a_number_is_a_metric() -> None:
    found = rows()
    assert found["skep_build_info"] == {(("version", "1.2.3"),): 1}
    assert found["skep_up_seconds"] == {(): 12.3456}
    assert found["skep_events_total"][("kind", "exec"),] == 5
    assert found["skep_lost_total"][("queue", "lifecycle ring"),] == 2
    assert list(found["skep_dropped_packets_total"].values()) == [50]
    assert found["skep_program_sampled_runs_total"][("program", "on_exec"),] == 4
    assert found["skep_program_sampled_seconds_total"][("program", "on_exec"),] == pytest.approx(
        1e-6
    )
    assert found["skep_program_recursion_misses_total"][("program", "on_exec"),] == 1
    assert found["skep_map_bytes"][("map", "sites"), ("type", "hash")] == 21
    assert found["skep_process_cpu_seconds_total"][("process", "drain"),] == 0.5
    assert found["skep_process_memory_bytes"][("process", "agent"),] == 1000
    assert found["skep_drain_restarts_total"] == {(): 2}
    assert found["skep_stored_events"] == {(): 9}
    assert found["skep_stored_bytes"] == {(): 400}
    assert found["skep_followers"] == {(): 3}


def test_an_agent_of_nothing_has_metrics_without_samples() -> None:
    nothing = replace(FACTS, events={}, losses=[], processes=[], programs=[], maps=[], drops=[])
    found = rows(nothing)
    assert set(found) == set(rows())
    assert found["skep_events_total"] == found["skep_map_bytes"] == {}
