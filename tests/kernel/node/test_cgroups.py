"""Real cgroups of this kernel: ids, scans, and processes that have moved."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from skep.node.attribution import Attribution
from skep.node.cgroup_files import CgroupFiles
from skep.node.cgroup_table import CgroupTable
from skep.node.proc import alive

CONTAINER = "05c48c82caff3be3d7f1e896981dd410e81487538936914f32b624d168de9db0"


@pytest.fixture
def parent(absent: Callable[[str], NoReturn]) -> Iterator[Path]:
    """A cgroup of the test's own, removed with what is in it."""
    mount = CgroupFiles().mounts.unified
    if not mount:
        absent("no unified cgroup hierarchy is mounted")
    path = Path(mount) / f"skep-test-{os.getpid()}"
    path.mkdir()
    try:
        yield path
    finally:
        for directory, _, _ in os.walk(path, topdown=False):
            os.rmdir(directory)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["/bin/sleep", "60"])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_the_mounts_of_this_machine_are_found() -> None:
    assert CgroupFiles().mounts.layout in ("unified", "hybrid", "v1")


def test_a_scan_finds_nested_cgroups_by_inode(parent: Path) -> None:
    for name in ("a/b/c", "d"):
        (parent / name).mkdir(parents=True)
    files = CgroupFiles()
    found = {path: number for number, path in files.scan()}
    root = f"/{parent.name}"
    for path in ("", "/a", "/a/b", "/a/b/c", "/d"):
        assert found[root + path] == (parent / path.lstrip("/")).stat().st_ino
        assert files.id_of(root + path) == found[root + path]


def test_a_new_container_is_known_by_the_process_in_it(
    parent: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    table = CgroupTable(CgroupFiles())
    inside = parent / f"docker-{CONTAINER}.scope"
    inside.mkdir()
    (inside / "cgroup.procs").write_text(str(sleeper.pid))
    found = table.get(inside.stat().st_ino, sleeper.pid)
    assert (found.runtime, found.container) == ("docker", CONTAINER)
    assert table.scans == 1
    assert CONTAINER.encode() in Attribution(table).cgroup(inside.stat().st_ino, 0)
    sleeper.kill()
    sleeper.wait()


def test_a_removed_cgroup_is_still_known(parent: Path) -> None:
    gone = parent / "gone.service"
    gone.mkdir()
    number = gone.stat().st_ino
    table = CgroupTable(CgroupFiles())
    gone.rmdir()
    table.scan()
    assert table.get(number).unit == "gone.service"


def test_rows_of_proc_carry_the_id_of_the_cgroup(
    parent: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    (parent / "cgroup.procs").write_text(str(sleeper.pid))
    row = next(row for row in alive(CgroupFiles()) if row.pid == sleeper.pid)
    assert row.cgroup == parent.stat().st_ino
    assert (row.comm, row.ppid) == (b"sleep", os.getpid())
    sleeper.kill()
    sleeper.wait()
