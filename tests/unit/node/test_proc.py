"""Processes as /proc tells of them, odd names and vanishing ones included."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep.node.cgroup_files import CgroupFiles
from skep.node.cgroups import CgroupMounts
from skep.node.images import Row
from skep.node.proc import Stat, alive, completed, of_initial_namespace, parse_stat, parse_uid

KERNEL = " S 0 0 0 0 -1 2129984 1 2 3 4 5 6 7 8 20 0 1 0 1 0 0 18446744073709551615"
TAIL = " S 7 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4321 0 0 18446744073709551615"


@pytest.mark.parametrize("comm", ["sh", "(a) b)", "a b", ") S 1 (", "", "\xff"])
def test_any_comm_is_read(comm: str) -> None:
    data = f"42 ({comm}){TAIL}\n".encode("latin-1")
    assert parse_stat(data) == Stat(42, comm.encode("latin-1"), 7, 4321 * 10_000_000, b"S")


@given(st.binary(max_size=15))
def test_any_bytes_are_a_comm(comm: bytes) -> None:
    assert parse_stat(b"42 (" + comm + b")" + TAIL.encode()).comm == comm


@pytest.mark.parametrize("data", [b"", b"42", b"42 (sh) S 1", b"x (sh)" + TAIL.encode()])
def test_what_is_cut_short_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        parse_stat(data)


def test_the_real_uid_is_taken() -> None:
    assert parse_uid(b"Name:\tx\nUid:\t1000\t0\t0\t0\nGid:\t5\t5\t5\t5\n") == 1000
    with pytest.raises(ValueError):
        parse_uid(b"Name:\tx\n")


def process(proc: Path, pid: int, comm: str, cgroup: str = "/a", tail: str = TAIL) -> Path:
    directory = proc / str(pid)
    directory.mkdir()
    (directory / "stat").write_text(f"{pid} ({comm}){tail}\n")
    (directory / "status").write_text("Name:\tx\nUid:\t5\t0\t0\t0\n")
    (directory / "cgroup").write_text(f"1:name=systemd:/\n0::{cgroup}\n")
    return directory


def machine(tmp_path: Path) -> tuple[Path, CgroupFiles]:
    """A machine of two processes, some that vanish, and the kernel's thread of threads."""
    proc, mount = tmp_path / "proc", tmp_path / "c"
    proc.mkdir()
    (mount / "a").mkdir(parents=True)
    process(proc, 1, "init")
    (process(proc, 2, "kthreadd", tail=KERNEL) / "status").unlink()
    process(proc, 20, "(a) b)", "/gone")
    return proc, CgroupFiles(CgroupMounts("unified", str(mount)), str(proc))


def test_rows_of_a_machine_and_those_that_vanish_are_passed_over(tmp_path: Path) -> None:
    proc, files = machine(tmp_path)
    (process(proc, 30, "half") / "status").unlink()
    (process(proc, 40, "cut") / "stat").write_text("40 (cut")
    (proc / "self").mkdir()
    (proc / "50").mkdir()
    start, a = 4321 * 10_000_000, (tmp_path / "c/a").stat().st_ino
    assert sorted(alive(files, str(proc))) == [
        Row(1, 7, 5, a, start, b"init"),
        Row(20, 7, 5, 0, start, b"(a) b)"),
    ]


def test_what_an_iterator_leaves_out_is_added_but_no_process_that_is_over(tmp_path: Path) -> None:
    proc, files = machine(tmp_path)
    process(proc, 30, "zombie", tail=TAIL.replace(" S ", " Z "))
    told = Row(20, 8, 9, 10, 11, b"told")
    found = list(completed([told], files, str(proc)))
    assert found[0] == told
    assert [row.pid for row in found[1:]] == [1]


def test_another_pid_namespace_tells_nothing(tmp_path: Path) -> None:
    proc, files = machine(tmp_path)
    assert of_initial_namespace(str(proc))
    assert files.membership(1)
    (proc / "2/stat").write_text(f"2 (kthreadd){TAIL}\n")
    inner = CgroupFiles(files.mounts, str(proc))
    assert not of_initial_namespace(str(proc))
    assert list(alive(inner, str(proc))) == []
    told = Row(20, 8, 9, 10, 11, b"told")
    assert list(completed([told], inner, str(proc))) == [told]
    assert inner.membership(1) == ""


def test_this_process_lives() -> None:
    mine = next(row for row in alive(CgroupFiles()) if row.pid == os.getpid())
    assert mine.ppid == os.getppid()
    assert mine.uid == os.getuid()
