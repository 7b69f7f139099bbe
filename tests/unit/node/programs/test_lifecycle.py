"""The lifecycle programs as plain Python: what a real kernel seldom does."""

from types import SimpleNamespace as Kernel
from typing import Any

import pytest

from skep.events.texts import PIECE, TEXT_HEADER, Text
from skep.lang.plain.kernel import FakeKernel
from skep.node import arguments
from skep.node.programs import lifecycle
from skep.node.programs.records import ARGS_GO_ON, CUT, Exec
from tests.unit.node.programs.memory import Memory

NAME, ARGS = 0x100, 0x1000_0000
TRUE = b"/bin/true"


def task(pid: int = 7, **more: Any) -> Kernel:  # noqa: ANN401 - fields of any type
    """A task; it leads its process, alone, unless told otherwise."""
    times = Kernel(sum_exec_runtime=0)
    made = Kernel(
        pid=pid,
        tgid=7,
        comm="true",
        start_boottime=55,
        exit_code=0,
        utime=0,
        stime=0,
        se=times,
        real_parent=Kernel(tgid=3),
        real_cred=Kernel(uid=Kernel(val=1), gid=Kernel(val=2)),
        cgroups=Kernel(dfl_cgrp=Kernel(kn=Kernel(id=9))),
    )
    signal = {"utime": 0, "stime": 0, "sum_sched_runtime": 0, "nr_threads": 1, "flags": 0}
    made.signal = Kernel(live=Kernel(counter=0), group_exit_code=0, **signal)
    made.group_leader = made
    vars(made).update(more)
    return made


def run_exec(memory: Memory, size: int) -> tuple[Any, list[Text]]:
    """The event of an exec whose arguments have that size, and the pieces."""
    kernel = FakeKernel(helpers=memory.helpers)
    mm = Kernel(arg_start=ARGS, arg_end=ARGS + size)
    lifecycle.on_exec.py(task(mm=mm), 7, Kernel(filename=NAME), kernel=kernel)
    (event,) = kernel[lifecycle.lifecycle].poll()
    raw = kernel[lifecycle.texts].poll()
    return event, [Text.from_bytes(one.ljust(Text.size, b"\0")) for one in raw]


def test_arguments_that_cannot_be_read_are_cut_and_not_made_up() -> None:
    event, pieces = run_exec(Memory(at_0x100=TRUE), 50)
    assert (event.flags, event.args_size, pieces) == (CUT, 0, [])
    assert event.filename == TRUE.decode()


def test_a_piece_that_cannot_be_read_ends_them_and_is_marked() -> None:
    readable = bytes(range(256)) * 32
    event, pieces = run_exec(Memory(at_0x100=TRUE, at_0x10000000=readable), 20_000)
    assert (event.flags, event.args_size) == (ARGS_GO_ON | CUT, 20_000)
    assert [(one.of, one.offset, one.used, one.whole) for one in pieces] == [
        (event.seq, lifecycle.HEAD, PIECE, 20_000)
    ]
    assert bytes(pieces[0].text) == readable[lifecycle.HEAD : lifecycle.HEAD + PIECE]


def test_a_file_name_that_cannot_be_read_is_cut() -> None:
    event, _ = run_exec(Memory(at_0x10000000=b"x\0"), 2)
    assert (event.flags, event.filename, event.filename_size) == (CUT, "", 0)
    assert bytes(event.args[:2]) == b"x\0"


def test_pieces_have_no_more_than_they_use_and_are_numbered_as_the_user_half_does() -> None:
    kernel = FakeKernel(helpers=Memory(at_0x100=TRUE, at_0x10000000=bytes(200)).helpers)
    mm = Kernel(arg_start=ARGS, arg_end=ARGS + 200)
    lifecycle.on_exec.py(task(mm=mm), 7, Kernel(filename=NAME), kernel=kernel)
    (raw,) = kernel[lifecycle.texts].poll()
    assert len(raw) == TEXT_HEADER + 200 - lifecycle.HEAD
    assert (lifecycle.FILENAME, lifecycle.ARGS) == (arguments.FILENAME, arguments.ARGS)
    assert lifecycle.LARGEST == arguments.LARGEST
    places = {field.name: field.type.count for field in Exec.fields[-2:]}
    assert places == {"filename": lifecycle.NAME, "args": lifecycle.HEAD}


def test_a_new_thread_is_not_told() -> None:
    kernel = FakeKernel()
    lifecycle.on_fork.py(task(), task(pid=8), kernel=kernel)
    assert kernel[lifecycle.lifecycle].poll() == []
    lifecycle.on_fork.py(task(), task(), kernel=kernel)
    assert len(kernel[lifecycle.lifecycle].poll()) == 1


# --- the end -----------------------------------------------------------------------------------------


def test_of_threads_that_all_see_the_end_one_tells_it() -> None:
    kernel = FakeKernel()
    leader = task()
    leader.signal.nr_threads = 3
    for pid in (7, 8, 9):
        thread = task(pid, signal=leader.signal, group_leader=leader)
        lifecycle.on_last_exit.py(thread, kernel=kernel)
    assert len(kernel[lifecycle.lifecycle].poll()) == 1
    leader.signal.nr_threads, leader.signal.sum_sched_runtime = 1, 5
    lifecycle.on_last_exit.py(leader, kernel=kernel)
    assert kernel[lifecycle.lifecycle].poll() == []


def test_the_same_pid_started_later_ends_too() -> None:
    kernel = FakeKernel()
    for start in (55, 56):
        one = task(start_boottime=start)
        one.signal.nr_threads = 2
        lifecycle.on_last_exit.py(one, kernel=kernel)
    assert len(kernel[lifecycle.lifecycle].poll()) == 2


def test_a_process_with_a_thread_left_has_not_ended() -> None:
    kernel = FakeKernel()
    one = task()
    one.signal.live.counter = 1
    lifecycle.on_last_exit.py(one, kernel=kernel)
    lifecycle.on_exit.py(one, 0, kernel=kernel)
    assert kernel[lifecycle.lifecycle].poll() == []
    lifecycle.on_exit.py(one, 1, kernel=kernel)
    assert len(kernel[lifecycle.lifecycle].poll()) == 1


@pytest.mark.parametrize(
    ("user", "system", "run", "told"),
    [
        (0, 0, 5_000_000, (5_000_000, 0)),
        (8_000_000, 0, 5_000_000, (5_000_000, 0)),
        (0, 8_000_000, 6_553_600, (0, 6_553_600)),
        (4_000_000, 4_000_000, 65_536_000, (32_768_000, 32_768_000)),
    ],
)
def test_run_time_is_split_as_ticks_fell(
    user: int, system: int, run: int, told: tuple[int, int]
) -> None:
    kernel = FakeKernel()
    one = task(utime=user, stime=system, se=Kernel(sum_exec_runtime=run))
    lifecycle.on_exit.py(one, 1, kernel=kernel)
    (event,) = kernel[lifecycle.lifecycle].poll()
    assert (event.user_ns, event.system_ns) == told


def test_times_of_released_threads_and_of_the_leader_count() -> None:
    kernel = FakeKernel()
    leader = task(utime=3_000_000, se=Kernel(sum_exec_runtime=300))
    last = task(8, signal=leader.signal, group_leader=leader, se=Kernel(sum_exec_runtime=20))
    leader.signal.sum_sched_runtime = 1
    lifecycle.on_exit.py(last, 1, kernel=kernel)
    (event,) = kernel[lifecycle.lifecycle].poll()
    assert (event.user_ns, event.system_ns) == (321, 0)
