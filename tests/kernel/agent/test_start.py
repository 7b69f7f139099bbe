"""Starts that cannot be, or can be in part: each says why, and leaves nothing."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from skep.kernel import stats
from skep.kernel.probes import State, probe
from skep.program.machine import Machine
from tests.kernel.agent.conftest import PATIENCE, SKEP, Up, apart, run_true, seen, skep, wait_for

pytestmark = [
    pytest.mark.requires("prog.tp_btf", "map.ringbuf", "btf.vmlinux", "cap.sys_admin"),
    pytest.mark.native("starts several agents"),
]
# Code may lie where nobody else may read: the one privilege that is left is to read.
NOBODY = (
    *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
    *("env", "HOME=/nonexistent", "XDG_CACHE_HOME="),
    *SKEP,
)
# What Python says where it is interrupted before it runs anything of ours.
PYTHON = re.compile("Fatal Python error: init_import_site|Could not import runpy module")
DEFINES = """
import skep

@skep.tp_btf("sched_process_exec")
def on_started(task, old_pid, bprm):
    pass
"""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("up",), "watching this node needs root; run it as root"),
        (("agent",), "the agent needs root; run it as root"),
        (("down",), "ending the agent needs root; run it as root"),
        (("run", "FILE"), "running programs in the kernel needs root; run it as root"),
    ],
)
def test_without_root_it_says_so(words: Sequence[str], said: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(DEFINES)
    given = [str(file) if word == "FILE" else word for word in words]
    done = skep(*given, command=NOBODY)
    assert (done.returncode, done.stdout, done.stderr) == (4, "", f"skep: {said}\n")


def test_without_root_a_file_cannot_be_checked_and_features_say_what_they_need(
    tmp_path: Path,
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(DEFINES)
    done = skep("check", str(file), command=NOBODY)
    assert (done.returncode, done.stdout) == (4, "")
    assert "needs CAP_BPF; run it as root or grant CAP_BPF" in done.stderr
    features = skep("features", "--absent", command=NOBODY)
    assert features.returncode == 0
    assert "it needs CAP_BPF" in features.stdout


def test_another_user_cannot_reach_the_agent(up: Callable[..., Up]) -> None:
    agent = up("--only", "exec")
    agent.ready()
    for command in ("status", "events", "reload"):
        done = skep(command, "--instance", agent.paths.instance, command=NOBODY)
        assert (done.returncode, done.stdout, "needs root" in done.stderr) == (4, "", True)


def test_without_types_of_the_kernel_it_says_so() -> None:
    command = apart("mount -t tmpfs none /sys/kernel/btf")
    done = skep("up", "--instance", "no-btf", command=command)
    assert (done.returncode, done.stdout) == (5, "")
    assert "BTF" in done.stderr
    assert "Traceback" not in done.stderr
    assert not os.path.exists("/run/skep/no-btf")


def test_without_a_bpffs_it_runs(up: Callable[..., Up]) -> None:
    agent = up("--only", "exec", command=apart("mount -t tmpfs none /sys/fs/bpf"))
    assert agent.ready()["warnings"] == []
    run_true("no-bpffs")
    wait_for(lambda: seen(agent, "no-bpffs"), "the exec is seen")


def test_without_tracefs_the_way_that_needs_it_is_refused_and_another_is_used(
    up: Callable[..., Up],
) -> None:
    """Not mounted, and not to be had without CAP_SYS_ADMIN."""
    if probe("prog.fexit", Machine().btf).state is State.ON:
        pytest.skip("no way that is used here needs tracefs: this kernel lets functions be watched")
    few = "-all,+bpf,+perfmon,+dac_read_search,+sys_ptrace,+setpcap"
    hidden = "{ umount -R /sys/kernel/debug /sys/kernel/tracing 2>/dev/null; true; }"
    limit = ("setpriv", f"--bounding-set={few}", "--no-new-privs")
    agent = up("--only", "exec,accept", command=apart(hidden, *limit))
    powers = {one["power"]: one for one in agent.ready()["powers"]}
    assert (powers["exec"]["state"], powers["connections"]["state"]) == ("on", "instead")
    functions, *others = (one["reason"] for one in powers["connections"]["refused"])
    assert functions == "fexit programs: a policy of this host refuses it"
    assert all("tracefs" in reason for reason in others)
    assert others
    assert powers["connections"]["narrows"].startswith("accepts are not told")
    run_true("no-tracefs")
    wait_for(lambda: seen(agent, "no-tracefs"), "the exec is seen")


def test_a_full_disk_ends_the_start_and_leaves_nothing() -> None:
    before = {one.id for one in stats.all_programs()}
    mounts = (
        "mkdir -p /run/skep && mount -t tmpfs -o size=4k,mode=700 none /run/skep"
        " && mkdir -m 700 /run/skep/full && head -c 4096 /dev/zero > /run/skep/fill"
    )
    done = skep("up", "--only", "exec", "--instance", "full", command=apart(mounts))
    assert (done.returncode, done.stdout) == (1, "")
    assert "/run/skep/full" in done.stderr
    assert "No space left on device" in done.stderr

    def left() -> set[int]:
        return {one.id for one in stats.all_programs() if one.name == "on_exec"} - before

    wait_for(lambda: not left(), "the programs are gone")


def test_an_output_that_is_full_ends_it_and_leaves_nothing(up: Callable[..., Up]) -> None:
    with Path("/dev/full").open("w") as full:
        face = subprocess.Popen(
            [*SKEP, "up", "--json", "--instance", "full-output"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
        with face:

            def ended() -> bool:
                run_true("fills")
                return face.poll() is not None

            wait_for(ended, "the face has ended")
            _, errors = face.communicate()
    assert face.returncode == 1
    assert errors.endswith("skep: the output cannot be written: No space left on device\n")
    assert "Traceback" not in errors
    wait_for(lambda: not os.path.exists("/run/skep/full-output"), "the agent has ended")


@pytest.mark.parametrize("most", [8, 40])
def test_with_too_few_descriptors_it_says_so(most: int) -> None:
    command = ("prlimit", f"--nofile={most}", *SKEP)
    done = skep("up", "--instance", "few-files", command=command)
    assert (done.returncode, done.stdout, "Traceback" in done.stderr) == (1, "", False)
    assert "open files" in done.stderr
    assert "`ulimit -" in done.stderr
    assert not os.path.exists("/run/skep/few-files")


def test_of_agents_that_start_at_once_one_runs(up: Callable[..., Up]) -> None:
    name = f"test-at-once-{os.getpid()}"
    agents = [up("--only", "exec", name=name) for _ in range(3)]

    def settled() -> bool:
        return sum(one.face.poll() is not None for one in agents) == 2

    wait_for(settled, "two have given up")
    (first,) = [one for one in agents if one.face.poll() is None]
    status = first.ready()
    assert status["instance"] == name
    assert {one.face.returncode for one in agents} == {None, 1}


def test_the_end_during_the_start_leaves_nothing(up: Callable[..., Up]) -> None:
    """Wherever the start is when it is told to end; but Python's own, which fails then."""
    name = f"test-early-{os.getpid()}"
    for number in range(5):
        agent = up("--only", "exec", name=name)
        time.sleep(0.1 * number)
        code, errors = agent.end(), agent.errors.read_text()
        assert code in (0, -signal.SIGINT, 130) or PYTHON.match(errors), (code, errors)
        run = agent.paths.run
        wait_for(lambda: not os.path.exists(run), "the run directory is gone")  # noqa: B023 - called at once


def test_a_service_that_is_stopped_during_its_start_ends_in_order(tmp_path: Path) -> None:
    """Wherever its start is: a service manager calls anything but this a failure."""
    errors = tmp_path / "errors"
    for number in range(2):
        name = f"test-stopped-{os.getpid()}-{number}"
        run = f"/run/skep/{name}"
        with errors.open("a") as output:
            words = [*SKEP, "agent", "--only", "exec", "--instance", name]
            agent = subprocess.Popen(words, stderr=output)
        wait_for(lambda: os.path.exists(run), "it has begun")  # noqa: B023 - called at once
        time.sleep(0.15 * number)
        agent.terminate()
        assert agent.wait(PATIENCE) == 0, errors.read_text()
        assert not os.path.exists(run)
    assert "Traceback" not in errors.read_text()
