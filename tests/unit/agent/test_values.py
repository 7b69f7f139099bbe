"""What passes between the processes as values, and the small parts of the agent."""

import json
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import pytest

from skep.agent import losses, powers
from skep.agent.face import NoFace, SocketFace
from skep.agent.losses import Loss
from skep.agent.notify import Notifier
from skep.agent.order import Order
from skep.agent.plan import Plan, RingPlan
from skep.agent.stall import RingCount, Stall
from skep.agent.usage import Sampler
from skep.base.config import Processes
from skep.base.errors import BadInput, Conflict, KernelError
from skep.events.losses import LossCounter
from skep.kernel.objects import ProgramInfo

PLAN = Plan(
    (RingPlan("a", 3, 4, 4096), RingPlan("b", 10, 11, 4096, code=12, code_at=56)),
    *(5, 6, 7, -1, 9),
    users=True,
    processes=Processes(),
    instance="lab",
)


def test_an_order_comes_through_the_command_line() -> None:
    order = Order("lab", "/x.yaml", ("exec", "exit"), 5)
    command = order.command()
    assert Order.from_json(command[-1]) == order
    assert command[1:4] == ["-P", "-m", "skep.agent"]


@pytest.mark.parametrize("text", ["", "3", "[]", '{"what": 1}', "{"])
def test_an_order_that_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="order"):
        Order.from_json(text)


def test_a_plan_comes_through_a_pipe() -> None:
    assert Plan.from_json(PLAN.to_json()) == PLAN
    assert PLAN.descriptors == (3, 4, 10, 11, 12, 5, 6, 7)


def test_a_face_hears_of_the_start_line_by_line() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        face = SocketFace(theirs.detach())
        face.doing("compiling")
        face.ready()
        face.failed(Conflict("instance 'x'", "pid 3"))
        face.socket.close()
        said = [json.loads(line) for line in ours.recv(4096).splitlines()]
    text = "instance 'x' is held by pid 3"
    assert said == [{"doing": "compiling"}, {"ready": True}, {"error": "Conflict", "text": text}]


def test_a_face_that_is_gone_is_no_error() -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    face = SocketFace(theirs.detach())
    face.ready()
    face.ready()
    face.socket.close()
    NoFace().ready()


def test_the_service_manager_is_told(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        notifier = Notifier(path)
        notifier.ready("fine")
        notifier.reloading(12)
        notifier.alive()
        notifier.stopping()
        said = [manager.recv(100) for _ in range(4)]
    assert said == [
        b"READY=1\nSTATUS=fine",
        b"RELOADING=1\nMONOTONIC_USEC=12",
        b"WATCHDOG=1",
        b"STOPPING=1",
    ]
    notifier.alive()
    Notifier("").ready("nobody hears")


def info(runs: int, ns: int, misses: int = 0) -> ProgramInfo:
    return ProgramInfo(1, 26, "p", "", 8, 8, 0, 0, ns, runs, misses, 1)


def test_runs_are_counted_while_sampled_alone() -> None:
    readings = [info(5, 500), info(8, 1100), info(8, 1100), info(20, 9000), info(21, 9100, 3)]
    counting = []

    def enabled() -> AbstractContextManager[None]:
        counting.append(1)
        return nullcontext()

    sampler = Sampler(lambda: [readings.pop(0)], enabled)
    sampler.end()
    sampler.begin()
    sampler.end()
    assert [(use.runs, use.ns) for use in sampler.programs()] == [(3, 600)]
    sampler.begin()
    sampler.end()
    assert len(counting) == 2


@pytest.mark.parametrize("fails", [1, 2])
def test_the_kernel_counts_no_more_where_it_does_not_say_what(fails: int) -> None:
    on, asked = [0], [0]

    @contextmanager
    def enabled() -> Iterator[None]:
        on[0] += 1
        try:
            yield
        finally:
            on[0] -= 1

    def infos() -> list[ProgramInfo]:
        asked[0] += 1
        if asked[0] == fails:
            raise KernelError("BPF_OBJ_GET_INFO_BY_FD", 9, "it is closed")
        return [info(5, 500)]

    def sample(sampler: Sampler) -> None:
        sampler.begin()
        assert on == [1]
        sampler.end()

    with pytest.raises(KernelError, match="it is closed"):
        sample(Sampler(infos, enabled))
    assert on == [0]


def test_what_is_lost_is_named_by_its_queue() -> None:
    accounts = {"rings": {"lifecycle": {"attempts": 10, "refused": 3, "foreign": 1}}}
    assert losses.rings(accounts, {}) == [Loss("lifecycle ring", 7, 4, "the ring was full")]
    now = {"lifecycle": RingCount(4, 13, 20, 5)}  # the drain has not told of it yet
    assert losses.rings(accounts, now) == [Loss("lifecycle ring", 15, 6, "the ring was full", 4, 9)]
    assert losses.rings({}, now) == [Loss("lifecycle ring", 15, 5, "the ring was full", 4, 9)]
    assert losses.rings({}, {}) == []
    assert losses.queues([LossCounter("blocks", 5, 2)])[0].lost == 2
    assert losses.recursion(2, 9) == Loss(
        "programs", 9, 2, "a program was already running on that CPU"
    )


def test_only_new_losses_are_told() -> None:
    now = [Loss("a", 1, 5, ""), Loss("b", 1, 2, ""), Loss("c", 1, 0, "")]
    assert losses.since(now, {"a": 3, "b": 2}) == [Loss("a", 1, 2, "")]


def test_refusals_are_errors_of_the_kernel_and_of_a_program() -> None:
    assert {one.__name__ for one in powers.REFUSALS} == {
        "CompileError",
        "KernelError",
        "Unsupported",
        "VerifierError",
    }


def test_a_drain_stalls_while_something_waits_and_it_takes_nothing() -> None:
    time = 0.0
    stall = Stall(lambda: time)

    def look(consumed: int, produced: int, pid: int = 7) -> float:
        nonlocal time
        time += 1
        return stall.look(pid, [RingCount(0, 0, 0, 0), RingCount(consumed, produced, 0, 0)])

    assert [look(8, 8), look(8, 16), look(8, 16), look(8, 24)] == [0, 1, 2, 3]
    assert not stall.begun
    assert [look(16, 24), look(16, 24)] == [0, 1]
    assert stall.begun
    assert [look(16, 24, 8), look(16, 24, 8)] == [0, 1]
    assert not stall.begun  # it starts: another in its place would take no less
    assert look(24, 24, 8) == 0
    assert stall.begun
