"""Real processes that begin, run programs and end, and what the lifecycle ring tells of them."""

import os
import signal
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from skep.base.clock import boot_ns
from skep.lang.finish import Compiled
from skep.lang.programs import Program
from skep.node.programs import lifecycle
from skep.node.programs.records import ARGS_GO_ON, CUT, FILENAME_GOES_ON, Exec, Exit, Fork
from skep.program.live import Live
from skep.program.machine import Machine
from skep.program.objects import compiled
from skep.testing.cgroups import Cgroup
from tests.kernel.node_programs.conftest import Run, Told

TRUE = "/bin/true"


def test_a_process_is_forked_runs_a_program_and_ends(told: Told, run: Run, own_cgroup: int) -> None:
    before = boot_ns()
    pid = run(TRUE, "a b", "c")
    fork, exec_, exit_ = told.of(pid)
    assert [type(one) for one in (fork, exec_, exit_)] == [Fork, Exec, Exit]
    for event in (fork, exec_, exit_):
        assert (event.pid, event.ppid, event.uid) == (pid, os.getpid(), 0)
        assert (event.start, event.cgroup, event.flags) == (fork.start, own_cgroup, 0)
    assert before < fork.start <= fork.time < exec_.time < exit_.time < boot_ns()
    assert (fork.gid, exec_.gid) == (0, 0)
    assert (exec_.comm, exit_.comm, exec_.filename) == ("true", "true", TRUE)
    arguments = b"/bin/true\0a b\0c\0"
    assert bytes(exec_.args)[: exec_.args_size] == arguments
    assert exec_.args_size == len(arguments)
    assert exec_.filename_size == len(TRUE)
    assert (exit_.code, exit_.signal) == (0, 0)


def test_the_start_is_that_of_proc(told: Told) -> None:
    child = subprocess.Popen(["sleep", "60"])
    try:
        stat = Path(f"/proc/{child.pid}/stat").read_text(encoding="ascii")
        ticks = int(stat.rpartition(")")[2].split()[19])
        fork = told.one(child.pid, Fork)
    finally:
        child.kill()
        child.wait()
    assert fork.start // (1_000_000_000 // os.sysconf("SC_CLK_TCK")) == ticks


def test_an_exit_has_its_status_or_its_signal(told: Told, run: Run) -> None:
    left = told.one(run("sh", "-c", "exit 7", status=7), Exit)
    assert (left.code, left.signal) == (7, 0)
    killed = told.one(run("sh", "-c", "kill -TERM $$", status=-signal.SIGTERM), Exit)
    assert (killed.code, killed.signal) == (0, signal.SIGTERM)


def test_user_and_group_are_the_real_ones(told: Told, run: Run) -> None:
    pid = run(TRUE, user=65534, group=65533, extra_groups=[])
    fork, exec_, exit_ = told.of(pid)
    assert (fork.uid, exec_.uid, exec_.gid, exit_.uid) == (0, 65534, 65533, 65534)


def test_the_cgroup_is_the_one_it_is_in_by_then(
    told: Told, cgroup: Cgroup, own_cgroup: int
) -> None:
    child = subprocess.Popen(cgroup.command(TRUE))
    assert child.wait() == 0
    fork, shell, true, exit_ = told.of(child.pid)
    assert (fork.cgroup, shell.cgroup) == (own_cgroup, own_cgroup)
    assert (true.cgroup, exit_.cgroup) == (cgroup.id, cgroup.id)


def test_a_program_that_does_not_start_is_none(told: Told) -> None:
    pid = os.fork()
    if not pid:
        try:
            os.execv("/nonexistent", ["x"])
        finally:
            os._exit(3)
    os.waitpid(pid, 0)
    assert [type(one) for one in told.of(pid)] == [Fork, Exit]


# --- long values -----------------------------------------------------------------------------------


def test_arguments_of_100_kb_and_not_utf_8_arrive_whole(told: Told, run: Run) -> None:
    words = [TRUE.encode(), b"a\xff\xfe", b"b" * 100_000, b"", b"\xc3"]
    event = told.one(run(*words), Exec)
    assert event.flags == ARGS_GO_ON
    assert told.whole(event)[1] == b"".join(word + b"\0" for word in words)


@pytest.mark.parametrize("room", [-1, 0, 1, 4095, 4096, 4097, 8192])
def test_arguments_of_every_size_about_their_place_arrive_whole(
    told: Told, run: Run, room: int
) -> None:
    word = b"x" * (lifecycle.HEAD + room - len(TRUE) - 2)
    event = told.one(run(TRUE, word), Exec)
    assert event.args_size == lifecycle.HEAD + room
    assert event.flags == (ARGS_GO_ON if room > 0 else 0)
    assert told.whole(event)[1] == TRUE.encode() + b"\0" + word + b"\0"


def test_arguments_of_more_than_256_kb_are_marked_cut(told: Told, run: Run) -> None:
    words = [TRUE.encode(), *(bytes([97 + i]) * 100_000 for i in range(3))]
    event = told.one(run(*words), Exec)
    assert event.flags == ARGS_GO_ON | CUT
    everything = b"".join(word + b"\0" for word in words)
    assert event.args_size == len(everything)
    assert told.whole(event)[1] == everything[: lifecycle.LARGEST]


@pytest.mark.parametrize("size", [63, 64, 4095])
def test_a_file_name_of_every_length_arrives_whole(told: Told, run: Run, size: int) -> None:
    with tempfile.TemporaryDirectory(prefix="skep", dir="/tmp") as folder:
        os.symlink(TRUE, f"{folder}/true")
        path = folder.encode() + b"/" * (size - len(folder) - 4) + b"true"
        event = told.one(run(b"x", executable=path), Exec)
    assert event.filename_size == size == len(path)
    assert event.flags == (FILENAME_GOES_ON if size > 63 else 0)
    assert told.whole(event)[0] == path


def test_what_a_full_ring_has_no_room_for_is_marked_and_counted(
    programs: tuple[Program, ...], machine: Machine, run: Run
) -> None:
    with Live(machine) as live:
        made = dict(zip(programs, compiled(programs, machine), strict=True))
        _shrink(live, made[programs[0]])
        for program in programs:
            live.add(program, made[program])
            live.attach(program)
        told = Told(live)
        first = told.one(run(TRUE, "x" * 100_000), Exec)
        second = told.one(run(TRUE, "x" * 5_000), Exec)
        third = told.one(run(TRUE), Exec)
        reader = live[lifecycle.texts].reader
        assert first.flags == second.flags == ARGS_GO_ON | CUT
        assert third.flags == 0
        assert reader.refused == 2
        assert reader.attempts == len(list(reader.read_records())) + 2


def _shrink(live: Live, made: Compiled) -> None:
    """Give the texts a ring of a few pages."""
    for declared, spec in zip(made.maps, made.spec.maps, strict=True):
        if declared is lifecycle.texts:
            live.map(declared, replace(spec, entries=1 << 14))


# --- threads ---------------------------------------------------------------------------------------

THREADS = """
import threading
threads = [threading.Thread(target=lambda: None) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
LEADER_FIRST = """
import ctypes, os, threading, time
def last():
    while open('/proc/self/stat').read().rpartition(')')[2].split()[0] != 'Z': time.sleep(0.01)
    os._exit(5)
threading.Thread(target=last).start()
ctypes.CDLL(None).syscall(60, 3)
"""
BY_A_THREAD = f"""
import os, threading
threading.Thread(target=lambda: os.execv({TRUE!r}, ['by a thread'])).start()
threading.Event().wait()
"""
ALL_AT_ONCE = """
import os, threading
ready = threading.Barrier(9)
def wait():
    ready.wait()
    threading.Event().wait()
for _ in range(8): threading.Thread(target=wait, daemon=True).start()
ready.wait()
os._exit(4)
"""


def test_threads_are_no_processes(told: Told, python: Run) -> None:
    pid = python(THREADS)
    assert [type(one) for one in told.of(pid)] == [Fork, Exec, Exit]
    assert not [one for one in told.events if one.ppid == pid]


def test_a_process_ends_with_its_last_thread(told: Told, python: Run) -> None:
    pid = python(LEADER_FIRST, status=5)
    exit_ = told.one(pid, Exit)
    assert (exit_.code, exit_.signal) == (5, 0)
    assert exit_.start == told.one(pid, Fork).start
    assert exit_.comm == told.one(pid, Exec).comm


def test_a_thread_that_runs_a_program_becomes_the_process(told: Told, python: Run) -> None:
    pid = python(BY_A_THREAD)
    fork, interpreter, true, exit_ = told.of(pid)
    assert [type(one) for one in (interpreter, true, exit_)] == [Exec, Exec, Exit]
    assert (true.comm, true.start, exit_.start) == ("true", fork.start, fork.start)


def test_threads_that_end_at_once_are_one_end(told: Told, python: Run) -> None:
    for _ in range(6):
        exit_ = told.one(python(ALL_AT_ONCE, status=4), Exit)
        assert (exit_.code, exit_.signal) == (4, 0)


def test_times_are_those_of_wait4(told: Told) -> None:
    code = "import os\nfor _ in range(20_000): os.stat('/')\nfor _ in range(1_000_000): pass"
    pid = os.posix_spawn("/proc/self/exe", ["python", "-I", "-S", "-c", code], {})
    usage = os.wait4(pid, 0)[2]
    exit_ = told.one(pid, Exit)
    mine = (exit_.user_ns + exit_.system_ns) / 1e9
    theirs = usage.ru_utime + usage.ru_stime
    tick = 1 / 100
    freeing = 0.05 * theirs  # memory is freed after the tracepoint: in wait4's time alone
    assert theirs - 2 * tick - freeing <= mine <= theirs + tick
    assert abs(exit_.system_ns / 1e9 - usage.ru_stime) <= 0.1 * theirs + 2 * tick


# --- many ------------------------------------------------------------------------------------------


def test_of_many_short_processes_none_is_missed_or_mistaken(told: Told) -> None:
    pids = []
    for _ in range(40):
        pid = os.posix_spawn(TRUE, ["true"], {})
        os.waitpid(pid, 0)
        pids.append(pid)
    told.of(0)
    seen: dict[int, list[type]] = {}
    for event in sorted(told.events, key=lambda one: one.seq):
        seen.setdefault(event.pid, []).append(type(event))
    assert all(seen[pid] == [Fork, Exec, Exit] for pid in pids)
    assert len({one.seq for one in told.events}) == len(told.events)
    assert told.live[lifecycle.lifecycle].lost == 0


def test_a_child_that_runs_nothing_is_a_process_too(told: Told) -> None:
    with pytest.raises(OSError, match="nonexistent"):
        os.posix_spawn("/nonexistent", ["x"], {})
    told.of(0)
    mine = [one for one in told.events if one.ppid == os.getpid()]
    assert [type(one) for one in mine] == [Fork, Exit]
    assert mine[1].code == 127
