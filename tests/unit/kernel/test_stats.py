"""Run statistics are differences, and holders are read from /proc."""

import os
from pathlib import Path

import pytest

from skep.kernel.commands import Command
from skep.kernel.objects import ProgramInfo
from skep.kernel.stats import Holder, Runs, between, enabled, holders
from skep.testing.door import FakeDoor


def info(number: int, runs: int, time: int, misses: int = 0) -> ProgramInfo:
    return ProgramInfo(number, 26, f"p{number}", "", 16, 20, 0, 0, time, runs, misses, 2)


def test_statistics_are_on_for_the_time_of_a_block() -> None:
    door = FakeDoor()
    with enabled(door):
        assert door.calls == [Command.ENABLE_STATS]
        assert len(door.open) == 1
    assert door.open == {}


def test_runs_are_what_came_between_two_readings() -> None:
    found = between([info(1, 10, 1000, 1), info(2, 5, 50)], [info(1, 30, 3000, 4), info(3, 2, 20)])
    assert found == [Runs(1, "p1", 20, 2000, 3), Runs(3, "p3", 2, 20, 0)]
    assert [one.ns_per_run for one in found] == [100.0, 10.0]
    assert Runs(1, "p", 0, 0, 0).ns_per_run == 0.0


@pytest.fixture
def proc(tmp_path: Path) -> str:
    for pid, comm, fds in (
        (
            7,
            "agent\n",
            {
                3: ("bpf-prog", "prog_id:\t12"),
                4: ("bpf-map", "map_id:\t5"),
                5: ("bpf_link", "link_id:\t9"),
                6: ("bpf-map", "no id: it is told by an older kernel"),
            },
        ),
        (8, "other\n", {3: ("eventfd", "eventfd-count: 0")}),
        (9, "gone\n", {}),
    ):
        base = tmp_path / str(pid)
        (base / "fd").mkdir(parents=True)
        (base / "fdinfo").mkdir()
        (base / "comm").write_text(comm)
        for fd, (kind, line) in fds.items():
            os.symlink(f"anon_inode:{kind}", base / "fd" / str(fd))
            (base / "fdinfo" / str(fd)).write_text(
                f"pos:\t0\nflags:\t02000002\n{line}\nlink_type:\ttracing\n"
            )
    (tmp_path / "9" / "fd").rmdir()
    (tmp_path / "self").mkdir()
    return str(tmp_path)


def test_holders_are_found_by_descriptor(proc: str) -> None:
    assert sorted(holders(proc)) == [
        Holder("link", 9, 7, "agent", 5),
        Holder("map", 5, 7, "agent", 4),
        Holder("prog", 12, 7, "agent", 3),
    ]
