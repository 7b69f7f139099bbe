"""The cache of compiled programs: what is wrong with it is told, nothing of it is used, and the agent runs."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from skep.kernel.privileges import held, mask
from tests.kernel.agent.conftest import Up, apart, run_true, seen, wait_for

pytestmark = [
    pytest.mark.requires("prog.tp_btf", "map.ringbuf", "btf.vmlinux", "cap.sys_admin"),
    pytest.mark.native("starts several agents, and compiles"),
]
CACHE = "/var/cache/skep"
OWN = f"mkdir -p -m 700 {CACHE} && mount -t tmpfs -o mode=700 none /mnt"
COPY = f"cp -a {CACHE}/. /mnt/ && mkdir -p -m 700 /mnt/objects && mount --bind /mnt {CACHE}"
EMPTY = f"mount --bind /mnt {CACHE}"
FIRST = f"one=$(ls -t {CACHE}/objects/* | head -1)"
FULL = f"mount -o remount,size=8k /mnt && head -c 8k /dev/zero > {CACHE}/fill"
READ_ONLY = f"mount -o remount,ro /mnt && mount -o remount,ro,bind {CACHE}"
SCRIBBLE = f"for one in {CACHE}/objects/*; do printf x | dd of=$one bs=1 seek=300 conv=notrunc 2>/dev/null; done"


def works(agent: Up, marker: str) -> list[str]:
    """The warnings of an agent that sees what starts."""
    warnings: list[str] = agent.ready()["warnings"]
    run_true(marker)
    wait_for(lambda: seen(agent, marker), "the exec is seen")
    return warnings


@pytest.fixture(autouse=True)
def filled(agent: Up) -> None:
    """Something is in the machine's cache."""
    works(agent, "filled")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (SCRIBBLE, "its checksum does not match"),
        (f"chown -R 65534 {CACHE}/objects", "another user owns it (uid 65534)"),
        (f"chmod 777 {CACHE}/objects", "others may write to it (mode 777)"),
        (f"chmod 666 {CACHE}/objects/*", "others may write to it (mode 666)"),
        (f"mount -o remount,bind,noexec {CACHE}", "to be executed: Operation not permitted"),
        (f"mv {CACHE}/objects /mnt/there && ln -s there {CACHE}/objects", "it is a symbolic link"),
    ],
    ids=[
        "corrupt",
        "another user's",
        "open to others",
        "files open to others",
        "a disk without code",
        "a link",
    ],
)
def test_what_may_be_another_s_is_not_used(up: Callable[..., Up], harm: str, said: str) -> None:
    agent = up("--only", "exec", command=apart(f"{OWN} && {COPY} && {harm}"))
    warnings = works(agent, "harmed")
    assert len(warnings) == 1
    assert said in warnings[0]


@pytest.mark.parametrize(
    ("harm", "said"),
    [(FULL, "No space left on device"), (READ_ONLY, "Read-only file system")],
    ids=["full", "read-only"],
)
def test_one_that_takes_nothing_is_told_once(up: Callable[..., Up], harm: str, said: str) -> None:
    agent = up("--only", "exec", command=apart(f"{OWN} && {EMPTY} && {harm}"))
    (warning,) = works(agent, "harmed")
    assert said in warning


def compiler_of(agent: Up) -> int:
    """The compile child of an agent that starts, 0 where there is none now."""
    with suppress(OSError):
        for pid in filter(str.isdigit, os.listdir("/proc")):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if any(word.endswith(b"lang/llvm.py") for word in words):
                parent = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1]
                order = Path(f"/proc/{parent}/cmdline").read_bytes()
                if agent.paths.instance.encode() in order:
                    return int(pid)
    return 0


def test_a_killed_compiler_is_started_again_and_may_do_next_to_nothing(
    up: Callable[..., Up],
) -> None:
    agent = up("--only", "exec", command=apart(f"{OWN} && {EMPTY}"))
    pid = wait_for(lambda: compiler_of(agent), "the compiler runs")
    assert held(pid).permitted == held(pid).effective == mask(("CAP_DAC_READ_SEARCH",))
    assert held(pid).no_new_privileges
    os.kill(pid, signal.SIGKILL)
    assert works(agent, "compiled") == []
    assert not compiler_of(agent)
