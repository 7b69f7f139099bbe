"""One agent of an instance: the lock, the record, and what a dead agent left."""

import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from skep.agent import instance, processes
from skep.agent.instance import Cleared, Instance, Owned
from skep.agent.processes import Identity
from skep.base.clock import rfc3339, wall_offset_ns
from skep.base.errors import Conflict, KernelError
from skep.base.paths import Paths

HOLD = """
import sys
from skep.agent.instance import Instance
from skep.base.paths import Paths
claimed = Instance.claim(Paths(*sys.argv[1:]))
print("held", flush=True)
sys.stdin.read()
"""

ENDED = """
import os, signal, sys
from skep.agent.instance import Instance
from skep.base.paths import Paths

def end(*_):
    raise SystemExit(7)

def told(event, arguments):
    if event == moment and (event != "open" or arguments[0] == paths.lock):
        os.kill(os.getpid(), signal.SIGTERM)

moment, paths = sys.argv[1], Paths(*sys.argv[2:])
signal.signal(signal.SIGTERM, end)
sys.addaudithook(told)
Instance.claim(paths)
"""


@pytest.fixture(name="paths")
def paths_below(tmp_path: Path) -> Paths:
    return Paths("lab", f"{tmp_path}/run/lab", f"{tmp_path}/pins/lab", f"{tmp_path}/cache")


def hold(paths: Paths) -> "subprocess.Popen[str]":
    """Another process that is the agent."""
    words = [paths.instance, paths.run, paths.pins, paths.cache]
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    return other


def end(other: "subprocess.Popen[str]", number: int = signal.SIGKILL) -> None:
    other.send_signal(number)
    other.communicate()


def me() -> Identity:
    return processes.identity(os.getpid())


@pytest.mark.parametrize("moment", ["os.mkdir", "open", "os.truncate"])
def test_the_end_while_it_is_claimed_leaves_nothing(paths: Paths, moment: str) -> None:
    """As the directory is made, the lock in it, and what the lock says."""
    words = [moment, paths.instance, paths.run, paths.pins, paths.cache]
    done = subprocess.run([sys.executable, "-c", ENDED, *words], check=False)
    assert (done.returncode, os.path.exists(paths.run)) == (7, False)
    end(hold(paths))


def test_the_run_directory_is_private_and_goes_with_the_agent(paths: Paths) -> None:
    with Instance.claim(paths) as claimed:
        assert stat.S_IMODE(os.stat(paths.run).st_mode) == 0o700
        assert instance.holder(paths) == me()
        claimed.record(Owned(me(), programs=((3, "on_exec"),)))
        assert instance.leftovers(paths) == Owned(me(), programs=((3, "on_exec"),))
    assert not os.path.exists(paths.run)
    assert instance.holder(paths) is None


def test_a_second_agent_is_refused_with_the_pid_of_the_first(paths: Paths) -> None:
    other = hold(paths)
    try:
        with pytest.raises(Conflict) as refused:
            Instance.claim(paths)
        since = rfc3339(processes.identity(other.pid).started_ns + wall_offset_ns())[:15]
        held = (
            rf"instance 'lab' is held by pid {other.pid} \(python[0-9.]*\) since {since}\d:\d\dZ; "
        )
        assert re.match(held, str(refused.value))
        assert str(refused.value).endswith(
            "; `skep events -f --instance lab` shows what it sees, `skep down --instance lab` ends "
            "it, --instance NAME runs another beside it"
        )
        assert instance.holder(paths) is not None
    finally:
        end(other)


def test_another_instance_runs_beside_it(paths: Paths, tmp_path: Path) -> None:
    beside = Paths("two", f"{tmp_path}/run/two", f"{tmp_path}/pins/two", paths.cache)
    with Instance.claim(paths), Instance.claim(beside):
        assert instance.holder(paths) == instance.holder(beside) == me()


def test_what_a_killed_agent_left_is_recognised_and_cleared(paths: Paths) -> None:
    other = hold(paths)
    orphan = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    os.makedirs(paths.pins)
    pin = f"{paths.pins}/flows"
    foreign = f"{paths.pins}/another"
    outside = f"{os.path.dirname(paths.pins)}/outside"
    for path in (pin, foreign, outside, paths.agent_socket):
        Path(path).touch()
    child = processes.identity(orphan.pid)
    owned = Owned(processes.identity(other.pid), (child,), pins=(pin, f"{paths.pins}/../outside"))
    Path(paths.owned).write_bytes(owned.to_json())
    end(other)

    assert instance.holder(paths) is None
    assert instance.leftovers(paths) == owned
    with Instance.claim(paths) as claimed:
        cleared = Cleared((orphan.pid,), (pin,), (paths.agent_socket, paths.owned))
        assert claimed.cleared == cleared
        orphan.communicate()
        assert orphan.returncode == -signal.SIGKILL
        assert not os.path.exists(pin)
        assert os.path.exists(foreign)
        assert os.path.exists(outside)


def test_a_child_whose_pid_is_another_process_by_now_is_spared(paths: Paths) -> None:
    os.makedirs(paths.run)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        living = processes.identity(other.pid)
        reused = Identity(living.pid, living.start - 1)
        Path(paths.owned).write_bytes(Owned(reused, (reused,)).to_json())
        assert instance.clear(paths) == Cleared(files=(paths.owned,))
        assert living.alive()
        other.communicate()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"agent": 3}', b"\xff"])
def test_a_record_that_cannot_be_read_is_only_removed(paths: Paths, content: bytes) -> None:
    os.makedirs(paths.run)
    Path(paths.owned).write_bytes(content)
    assert instance.leftovers(paths) is None
    assert instance.clear(paths) == Cleared(files=(paths.owned,))


def test_keys_of_a_newer_release_are_ignored() -> None:
    data = Owned(me()).to_json().replace(b"{", b'{"devices": [1],', 1)
    assert Owned.from_json(data) == Owned(me())


@pytest.mark.parametrize("content", [b"", b"12", b"x y", b"999999999 1"])
def test_a_lock_file_without_a_living_holder_is_nobodys(paths: Paths, content: bytes) -> None:
    os.makedirs(paths.run)
    Path(paths.lock).write_bytes(content)
    assert instance.holder(paths) is None


def test_a_link_in_the_place_of_the_lock_is_not_followed(paths: Paths, tmp_path: Path) -> None:
    os.makedirs(paths.run, 0o700)
    victim = tmp_path / "victim"
    victim.write_text("precious")
    os.symlink(victim, paths.lock)
    with pytest.raises(KernelError, match="lock"):
        Instance.claim(paths)
    assert victim.read_text() == "precious"


def test_a_run_directory_that_others_may_write_is_refused(paths: Paths) -> None:
    os.makedirs(paths.run)
    os.chmod(paths.run, 0o777)
    with pytest.raises(Conflict, match="others may write"):
        Instance.claim(paths)
