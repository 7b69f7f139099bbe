"""The library of tasks, sockets and paths: what programs find is what user space knows of the same objects."""

import os
import socket
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import skep
from skep.lang.library import paths
from skep.lang.library.paths import Names
from skep.lang.library.sockets import INET, INET6, LISTEN, MAPPED
from skep.testing.cgroups import Cgroup
from tests.kernel.lang.library import programs as p

SECONDS = 10.0
ESTABLISHED, CLOSE = 1, 7


def namespace(name: str) -> int:
    """The number of one of this process's namespaces."""
    return os.stat(f"/proc/self/ns/{name}").st_ino


def padded(address: bytes) -> bytes:
    return address.ljust(16, b"\0")


def test_a_process_is_told_as_user_space_knows_it(cgroup: Cgroup) -> None:
    with skep.load(p.tells) as live:
        live[p.mine][os.getpid()] = 1
        with subprocess.Popen(cgroup.command("true"), stdout=subprocess.DEVNULL) as child:
            child.wait()
        e: Any = list(live[p.who].poll(SECONDS))[
            -1
        ]  # the command's, behind that which put it inside
    assert (e.process, e.thread, e.parent, e.first) == (child.pid, child.pid, os.getpid(), 1)
    assert (e.user, e.real_user) == (os.getuid(), os.getuid())
    assert (e.inner, e.namespace) == (child.pid, namespace("pid"))
    assert e.cgroup == cgroup.id


def test_a_process_has_another_pid_within_its_own_namespace() -> None:
    with skep.load(p.tells) as live:
        command = ("sh", "-c", "read go; exec unshare --pid --fork true")
        with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as outer:
            live[p.mine][outer.pid] = 1
            outer.communicate("go\n")
        inside: Any = list(live[p.who].poll(SECONDS))[-1]
    assert inside.parent == outer.pid
    assert inside.process > 1
    assert inside.inner == 1
    assert inside.namespace != namespace("pid")


@pytest.mark.parametrize(
    ("family", "host", "to"),
    [
        (socket.AF_INET, "127.0.0.1", "127.0.0.1"),
        (socket.AF_INET6, "::1", "::1"),
        (socket.AF_INET6, "::ffff:127.0.0.1", "::ffff:127.0.0.1"),
    ],
)
def test_both_ends_of_a_socket_are_told(family: int, host: str, to: str) -> None:
    with skep.load(p.follows) as live:
        live[p.mine][os.getpid()] = 1
        with socket.socket(family) as server, socket.socket(family) as client:
            server.bind((host, 0))
            server.listen()
            client.connect((to, server.getsockname()[1]))
            near, far = client.getsockname()[1], server.getsockname()[1]
        seen: list[Any] = list(live[p.changes].poll(SECONDS))
    mapped = "." in host
    address = socket.inet_aton("127.0.0.1") if mapped else socket.inet_pton(family, host)
    (one,) = (e for e in seen if e.state == ESTABLISHED and e.ends.local_port == near)
    assert (one.ends.family, one.ends.protocol) == (INET if mapped else INET6, socket.IPPROTO_TCP)
    assert one.ends.remote_port == far
    assert bytes(one.ends.local) == bytes(one.ends.remote) == padded(address)
    assert (one.listens, one.network) == (0, namespace("net"))
    assert [e.ends.local_port for e in seen if e.state == LISTEN] == [far]
    assert CLOSE in {e.state for e in seen if e.listens}  # what it was before


def found() -> list[str]:
    """The paths of this process's open files, as the program tells them."""
    with skep.load(p.names, attach=False) as live:
        live.attach(p.names, pid=os.getpid())
        data = live.read(p.names)
    each = range(0, len(data), Names.size)
    return [paths.text(Names.from_bytes(data[i : i + Names.size])) for i in each]


def test_the_names_on_the_way_to_a_file_are_its_path_across_mounts(tmp_path: Path) -> None:
    """And above the root of this process, where that is not the root of its mounts."""
    deep = tmp_path.joinpath(*(f"d{number}" for number in range(16)))
    deep.mkdir(parents=True)
    near, far = tmp_path / "a name", deep / "far"
    for file in (near, far):
        file.touch()
    with near.open(), far.open(), open("/proc/self/status", "rb"), open("/dev/null", "rb"):
        seen = found()
    above = next(path for path in seen if path.endswith("/dev/null")).removesuffix("/dev/null")
    assert {above + str(near), f"{above}/proc/{os.getpid()}/status"} <= set(seen)
    assert ".../" + "/".join(far.parts[-16:]) in seen
    assert above + str(near) not in found()


def test_the_same_as_plain_python() -> None:
    own = SimpleNamespace(inum=9)
    number = SimpleNamespace(nr=1, ns=SimpleNamespace(ns=own))
    task = SimpleNamespace(tgid=7, pid=7)
    task.real_parent = SimpleNamespace(tgid=3)
    task.real_cred = SimpleNamespace(uid=SimpleNamespace(val=1000))
    task.cgroups = SimpleNamespace(dfl_cgrp=SimpleNamespace(kn=SimpleNamespace(id=55)))
    thread_pid = SimpleNamespace(level=1, numbers=[None, number])
    task.group_leader = SimpleNamespace(thread_pid=thread_pid)
    kernel = skep.FakeKernel(task=skep.Task(pid=7, uid=4))
    kernel[p.mine][3] = 1
    p.tells.py(task, 0, None, kernel=kernel)
    (e,) = kernel[p.who].poll()
    assert (e.process, e.user, e.real_user, e.parent, e.first) == (7, 4, 1000, 3, 1)
    assert (e.inner, e.namespace, e.cgroup) == (1, 9, 55)


@pytest.mark.parametrize("mapped", [False, True])
def test_the_same_of_sockets_as_plain_python(*, mapped: bool) -> None:
    def address(last: int) -> SimpleNamespace:
        words = [0, 0, MAPPED if mapped else 0, last]
        data = b"".join(word.to_bytes(4, "big") for word in words)
        return SimpleNamespace(in6_u=SimpleNamespace(u6_addr32=words, u6_addr8=data))

    common = SimpleNamespace(skc_family=INET6, skc_num=80, skc_dport=4000, skc_state=LISTEN)
    common.skc_v6_daddr, common.skc_v6_rcv_saddr = address(0x01020304), address(1)
    common.skc_daddr, common.skc_rcv_saddr = 0x01020304, 1
    common.skc_net = SimpleNamespace(net=SimpleNamespace(ns=SimpleNamespace(inum=5)))
    sk = SimpleNamespace(sk_protocol=6, __sk_common=common)
    kernel = skep.FakeKernel(task=skep.Task(pid=7))
    kernel[p.mine][7] = 1
    p.follows.py(sk, 0, LISTEN, kernel=kernel)
    (e,) = kernel[p.changes].poll()
    assert (e.ends.family, e.ends.remote_port) == (INET if mapped else INET6, 4000)
    assert bytes(e.ends.remote)[:4] == (b"\1\2\3\4" if mapped else bytes(4))
    assert (e.listens, e.network) == (1, 5)


class Thing(SimpleNamespace):
    """An object of the kernel that has an address."""

    def __int__(self) -> int:
        address: int = self.address
        return address


INSIDE = 32
"""Where a mount holds what paths point at."""


def test_the_same_of_paths_as_plain_python() -> None:
    """The file is /mnt/a, where a is the name of a file in the root of another file system."""
    things: dict[int, Any] = {0x10: "a", 0x20: "mnt"}

    def thing(address: int, **fields: object) -> Thing:
        made = things[address] = Thing(address=address, **fields)
        return made

    def directory(address: int, name: int, parent: object) -> Thing:
        return thing(address, d_name=SimpleNamespace(name=name), d_parent=parent)

    def mount(address: int, root: Thing) -> Thing:
        vfs = Thing(address=address + INSIDE, mnt_root=root)
        things[address + INSIDE] = SimpleNamespace(mnt=Thing(address=address + 2 * INSIDE))
        return thing(address, mnt=vfs)

    root, inner_root = directory(0x100, 0, None), directory(0x200, 0, None)
    point, file = directory(0x110, 0x20, root), directory(0x210, 0x10, inner_root)
    first, second = mount(0x1000, root), mount(0x2000, inner_root)
    first.mnt_parent, second.mnt_parent, second.mnt_mountpoint = first, first, point
    root.d_parent, inner_root.d_parent = root, inner_root
    kernel = skep.FakeKernel(objects=things, helpers={"seq_write": lambda *_: 0})
    path = SimpleNamespace(dentry=file, mnt=second.mnt)
    ctx = SimpleNamespace(task=1, file=SimpleNamespace(f_path=path), meta=SimpleNamespace(seq=0))
    p.names.py(ctx, kernel=kernel)
    assert paths.text(kernel[p.room][0]) == "/mnt/a"
    assert paths.text(Names()) == "/"
    assert paths.text(Names(count=1, cut=1, names=[paths.Name("x")] * 16)) == ".../x"
