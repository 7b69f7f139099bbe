"""Names for the process table, as pieces of JSON."""

import json
from collections.abc import Iterable
from pathlib import Path

from skep.node.attribution import Attribution, cgroup_piece
from skep.node.cgroup_table import CgroupTable
from skep.node.cgroups import CgroupMounts, read_path
from skep.node.users import Users

A = "b2a102854b4969b2ce98dc329c86b4fb2b06e4ad2cc8da9d8a7578c9cd2004a2"
UID = "72f7f152-440c-66ac-9084-e0fc1d8a910c"


class Machine:
    """Three cgroups: a service, a container, a pod's container."""

    mounts = CgroupMounts("unified", "/c")

    def scan(self) -> Iterable[tuple[int, str]]:
        return [(1, "/"), (2, "/system.slice/ssh.service"), (3, f"/docker/{A}")]

    def id_of(self, path: str) -> int:
        return 9 if path == "/new" else 0

    def membership(self, pid: int) -> str:
        return "0::/new\n" if pid == 500 else ""

    def legacy_paths(self) -> Iterable[str]:
        return ()


def names(tmp_path: Path, passwd: bytes = b"root:x:0:0:::\nann:x:1000:1:::\n") -> Attribution:
    (tmp_path / "passwd").write_bytes(passwd)
    return Attribution(CgroupTable(Machine()), Users(str(tmp_path / "passwd")))


def test_users_of_the_host_have_names(tmp_path: Path) -> None:
    who = names(tmp_path)
    assert [who.user(uid, 2) for uid in (0, 1000, 7)] == [b'"root"', b'"ann"', b'"7"']


def test_users_in_a_container_are_numbers(tmp_path: Path) -> None:
    who = names(tmp_path)
    assert [who.user(uid, 3) for uid in (0, 1000)] == [b'"root"', b'"1000"']


def test_without_a_file_users_are_numbers() -> None:
    assert Attribution(CgroupTable(Machine())).user(0, 2) == b'"0"'


def test_a_changed_file_of_users_shows_after_a_refresh(tmp_path: Path) -> None:
    who = names(tmp_path)
    assert who.user(1000, 2) == b'"ann"'
    (tmp_path / "passwd").write_bytes(b"bea:x:1000:1:::\n#")
    who.refresh()
    assert who.user(1000, 2) == b'"bea"'


def test_how_cgroups_are_used_is_looked_at_now_and_then() -> None:
    machine = Machine()
    machine.mounts = CgroupMounts("hybrid", "/c", ("/c/pids",))
    machine.legacy_paths = lambda: [f"/docker/{A[::-1]}"]  # type: ignore[method-assign]
    table = CgroupTable(machine)
    table.legacy = False
    who = Attribution(table)
    for _ in range(4):
        who.refresh()
    assert not table.legacy
    who.refresh()
    assert table.legacy


def test_a_name_that_is_no_plain_text_stays_json(tmp_path: Path) -> None:
    who = names(tmp_path, b'a"\\\xff:x:5:5:::\n')
    assert json.loads(who.user(5, 2)) == 'a"\\\\xff'


def test_a_cgroup_says_container_and_pod(tmp_path: Path) -> None:
    who = names(tmp_path)
    assert who.cgroup(2, 0) == b',"cgroup":"/system.slice/ssh.service"'
    assert json.loads(b"{" + who.cgroup(3, 0)[1:] + b"}") == {
        "cgroup": f"/docker/{A}",
        "container": {"id": A, "runtime": "docker"},
    }
    piece = cgroup_piece(read_path(f"/kubepods/pod{UID}/{A}"))
    assert json.loads(b"{" + piece[1:] + b"}")["pod"] == {"uid": UID}
    assert b'"runtime"' not in piece


def test_a_cgroup_is_looked_up_by_its_process_or_left_out(tmp_path: Path) -> None:
    who = names(tmp_path)
    assert who.cgroup(9, 500) == b',"cgroup":"/new"'
    assert who.cgroup(99, 501) == b""


def test_a_path_that_is_no_text_stays_json() -> None:
    piece = cgroup_piece(read_path('/a\udcff"/lxc/b\udcff"'))
    assert json.loads(b"{" + piece[1:] + b"}")["cgroup"] == '/a\\xff"/lxc/b\\xff"'
