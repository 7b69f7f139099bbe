"""What the bench of peers makes of its measurements."""

import pytest

from bench._peer_programs import JOBS, LEFT_OUT
from bench.peers import BPFTRACE, OURS, cheapest, ratios, table

ADDED = {
    ("count", OURS, ()): 40.0,
    ("count", BPFTRACE, ("a",)): 110.0,
    ("count", BPFTRACE, ("b",)): 100.0,
    ("count", "perf stat", ()): 80.0,
    ("other", OURS, ()): 90.0,
    ("other", "perf stat", ()): 60.0,
}


def test_of_several_ways_the_cheapest_counts() -> None:
    assert cheapest(ADDED) == {
        "count": {OURS: 40.0, BPFTRACE: 100.0, "perf stat": 80.0},
        "other": {OURS: 90.0, "perf stat": 60.0},
    }


def test_the_figure_is_of_the_jobs_that_bpftrace_did() -> None:
    assert ratios(cheapest(ADDED)) == [pytest.approx(0.4)]
    assert not ratios({"other": {OURS: 1.0}})


def test_the_table_has_a_line_for_each_peer_and_says_who_does_not_run() -> None:
    lines = [line.split() for line in table(cheapest(ADDED)).splitlines()]
    assert lines[1:4] == [
        ["count", "bpftrace", "100.0", "40.0", "0.40"],
        ["count", "perf", "stat", "80.0", "40.0", "0.50"],
        ["other", "perf", "stat", "60.0", "90.0", "1.50"],
    ]
    assert [line[:2] for line in lines[4:]] == [["not", "run:"]] * len(LEFT_OUT)


def test_every_job_has_bpftrace_and_another_peer() -> None:
    for job in JOBS.values():
        names = {peer.name for peer in job.peers}
        assert BPFTRACE in names
        assert len(names) > 1
