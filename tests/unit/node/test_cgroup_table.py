"""Cgroup ids and what their paths say: from scans, from events, and by looking on a miss."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from skep.node.cgroup_files import CgroupFiles
from skep.node.cgroup_table import GONE, CgroupTable
from skep.node.cgroups import CgroupMounts

A = "b2a102854b4969b2ce98dc329c86b4fb2b06e4ad2cc8da9d8a7578c9cd2004a2"


class Machine:
    """Cgroups that a test makes and removes; counts what is asked of it."""

    def __init__(self, layout: str = "unified") -> None:
        self.mounts = CgroupMounts(layout, "/c", ("/c/pids",) if layout == "hybrid" else ())
        self.cgroups: dict[int, str] = {1: "/"}
        self.memberships: dict[int, str] = {}
        self.legacy: list[str] = []
        self.scans = self.reads = 0

    def scan(self) -> Iterable[tuple[int, str]]:
        self.scans += 1
        return list(self.cgroups.items())

    def id_of(self, path: str) -> int:
        return next((n for n, p in self.cgroups.items() if p == path), 0)

    def membership(self, pid: int) -> str:
        self.reads += 1
        return self.memberships.get(pid, "")

    def legacy_paths(self) -> Iterable[str]:
        return list(self.legacy)


def test_a_scan_at_the_start_knows_what_is_there() -> None:
    machine = Machine()
    machine.cgroups[7] = f"/docker/{A}"
    table = CgroupTable(machine)
    assert table.get(7).container == A
    assert (machine.scans, machine.reads) == (1, 0)


def test_a_miss_is_found_by_the_process_that_was_in_it() -> None:
    machine = Machine()
    table = CgroupTable(machine)
    machine.cgroups[8] = f"/docker/{A}"
    machine.memberships[500] = f"0::/docker/{A}\n"
    assert table.get(8, 500).container == A
    assert machine.scans == 1
    assert table.get(8).container == A
    assert machine.reads == 1


def test_a_process_that_has_moved_on_is_not_believed() -> None:
    machine = Machine()
    table = CgroupTable(machine)
    machine.cgroups |= {8: "/a", 9: "/b"}
    machine.memberships[500] = "0::/b\n"
    assert table.get(8, 500).path == "/a"
    assert machine.scans == 2


def test_a_cgroup_that_is_gone_is_looked_for_once() -> None:
    machine = Machine()
    table = CgroupTable(machine)
    assert table.get(99) is GONE
    assert table.get(99) is GONE
    assert (machine.scans, table.unknown) == (2, 1)


def test_another_process_in_it_has_it_looked_for_again() -> None:
    machine = Machine()
    table = CgroupTable(machine)
    for number in range(1_000, 1_100):
        table.get(number)
    scans = machine.scans
    machine.cgroups[99] = "/busy"
    machine.memberships[501] = "0::/busy\n"
    assert table.get(99, 500) is GONE, "its process has ended and no scan is due"
    assert table.get(99, 502) is GONE
    assert table.get(99, 501).path == "/busy"
    assert table.get(99).path == "/busy"
    assert machine.scans == scans


def test_fruitless_scans_are_made_more_rarely_until_one_finds() -> None:
    machine = Machine()
    table = CgroupTable(machine)
    for number in range(1_000, 2_000):
        table.get(number)
    assert machine.scans < 25
    machine.cgroups[5_000] = "/found"
    for number in range(3_000, 3_065):
        table.get(number)
    assert table.get(5_000).path == "/found"


def test_removed_cgroups_stay_known_while_there_is_room() -> None:
    machine = Machine()
    machine.cgroups[7] = f"/docker/{A}"
    table = CgroupTable(machine)
    del machine.cgroups[7]
    table.scan()
    assert table.get(7).container == A


def test_the_table_is_bounded_and_the_gone_go_first() -> None:
    machine = Machine()
    machine.cgroups |= {n: f"/old/{n}" for n in range(100, 150)}
    table = CgroupTable(machine, capacity=60)
    machine.cgroups = {1: "/"} | {n: f"/new/{n}" for n in range(200, 250)}
    table.scan()
    assert len(table) == 60
    assert all(table.get(n).path == f"/new/{n}" for n in range(200, 250))
    for number in range(10_000, 10_200):
        table.get(number)
    assert len(table) == 60


def test_events_teach_and_correct() -> None:
    table = CgroupTable(Machine())
    table.learn(7, "/a")
    table.learn(7, "/b")
    assert table.get(7).path == "/b"
    table.forget(7)
    assert table.get(7) is GONE


def test_a_runtime_on_v1_is_found_by_the_process() -> None:
    machine = Machine("hybrid")
    machine.legacy = ["/", f"/docker/{A}"]
    machine.memberships = {
        500: f"5:pids:/docker/{A}\n0::/\n",
        501: f"5:pids:/docker/{A}\n0::/\n",
        502: "5:pids:/\n0::/\n",
    }
    table = CgroupTable(machine)
    assert table.legacy
    place = table.place(500, 1)
    assert place != 1
    assert table.get(place).container == A
    assert table.place(501, 1) == place
    assert table.place(502, 1) == table.place(503, 1) == 1


def test_a_place_of_v1_that_was_forgotten_is_found_again_under_another_id() -> None:
    machine = Machine("hybrid")
    machine.legacy = [f"/docker/{A}"]
    machine.memberships[500] = f"5:pids:/docker/{A}\n0::/\n"
    table = CgroupTable(machine)
    before = table.place(500, 1)
    table.forget(before)
    after = table.place(500, 1)
    assert after != before
    assert table.get(after).container == A


def test_a_refresh_asks_nothing_where_v1_is_used_already() -> None:
    machine = Machine("hybrid")
    machine.legacy = [f"/docker/{A}"]
    table = CgroupTable(machine)
    machine.legacy = []
    table.refresh()
    assert table.legacy


def test_a_runtime_that_begins_to_use_v1_is_seen_at_a_refresh() -> None:
    machine = Machine("hybrid")
    table = CgroupTable(machine)
    machine.legacy = [f"/docker/{A}"]
    machine.memberships[500] = f"5:pids:/docker/{A}\n0::/\n"
    assert table.place(500, 1) == 1
    table.refresh()
    assert table.get(table.place(500, 1)).container == A


def test_where_containers_are_in_the_unified_hierarchy_no_process_is_asked() -> None:
    machine = Machine("hybrid")
    machine.legacy = [f"/docker/{A}"]
    machine.cgroups[7] = f"/docker/{A}"
    table = CgroupTable(machine)
    assert not table.legacy
    assert table.place(500, 1) == 1
    assert machine.reads == 0


def test_places_of_v1_are_bounded_and_distinct() -> None:
    machine = Machine("hybrid")
    machine.legacy = [f"/docker/{A}"]
    table = CgroupTable(machine, capacity=10)
    places = set()
    for pid in range(1, 101):
        machine.memberships[pid] = f"5:pids:/docker/{pid:064x}\n0::/\n"
        places.add(table.place(pid, 1))
    assert len(places) == 100
    assert len(table) == 10
    assert table.get(table.place(100, 1)).container == f"{100:064x}"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a.slice/b.service", "a.slice/c.service", "docker/" + A):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "a.slice/cgroup.procs").write_text("1\n")
    (tmp_path / "link").symlink_to("a.slice")
    return tmp_path


def test_a_directory_tree_is_scanned_by_inode(tree: Path) -> None:
    files = CgroupFiles(CgroupMounts("unified", str(tree)))
    found = dict(files.scan())
    assert sorted(found.values()) == [
        "/",
        "/a.slice",
        "/a.slice/b.service",
        "/a.slice/c.service",
        "/docker",
        f"/docker/{A}",
    ]
    assert all((tree / path.lstrip("/")).stat().st_ino == n for n, path in found.items())
    assert files.id_of("/a.slice/b.service") in found
    assert files.id_of("/none") == 0


def test_no_mount_has_no_cgroups() -> None:
    files = CgroupFiles(CgroupMounts("none", ""))
    assert list(files.scan()) == []
    assert list(files.legacy_paths()) == []
    assert files.id_of("/") == 0
    assert list(CgroupFiles(CgroupMounts("unified", "/does/not/exist")).scan()) == []


def test_a_v1_hierarchy_is_scanned_for_paths(tree: Path) -> None:
    (tree / "pids/docker" / A).mkdir(parents=True)
    mounts = CgroupMounts("hybrid", "/none", (str(tree / "cpu"), str(tree / "pids")))
    assert f"/docker/{A}" in list(CgroupFiles(mounts).legacy_paths())


def test_memberships_are_read_from_proc(tmp_path: Path) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self/mountinfo").write_text("35 24 0:30 / /c rw - cgroup2 cgroup2 rw\n")
    (tmp_path / "2").mkdir()
    (tmp_path / "2/stat").write_text("2 (kthreadd) S 0 0 0 0 -1 2129984 0")
    (tmp_path / "12").mkdir()
    (tmp_path / "12/cgroup").write_bytes(b"0::/a\xff\n")
    files = CgroupFiles(proc=str(tmp_path))
    assert files.mounts == CgroupMounts("unified", "/c")
    assert files.membership(12) == "0::/a\udcff\n"
    assert files.membership(13) == ""
