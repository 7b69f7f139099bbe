"""Several XDP programs on one device: their order, and that a change of one is no moment without the others."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

import skep
from skep.base.errors import BadInput, Conflict
from skep.kernel import objects
from skep.kernel.bpf import DOOR
from skep.kernel.dispatch.chain import ChainLink
from skep.kernel.dispatch.owner import Dispatcher
from skep.program.live import Live
from skep.testing.network import Wire
from tests.kernel.dispatch.xdp import programs as chained
from tests.kernel.dispatch.xdp.programs import EXPERIMENT, ahead, first, instead, second, third

SECONDS = 60.0
BURST = 32


def until(wanted: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not wanted():
        assert time.monotonic() < deadline
        time.sleep(0.002)


class Frames:
    """Sends frames from the left end of a wire to the right, where programs run."""

    def __init__(self, wire: Wire) -> None:
        with wire.left.entered():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            self._socket.bind((wire.device, 0))

    def send(self, digit: int = 0, count: int = 1) -> None:
        frame = b"\xff" * 6 + b"\2" * 6 + EXPERIMENT.to_bytes(2, "big") + bytes([digit]) * 46
        for _ in range(count):
            self._socket.send(frame)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def frames(wire: Wire) -> Iterator[Frames]:
    made = Frames(wire)
    yield made
    made.close()


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """What the test loaded and attached is gone afterwards."""
    before = {p.id for p in objects.programs(DOOR)}, {one.id for one in objects.links(DOOR)}
    yield
    names = {one.name for one in vars(chained).values() if isinstance(one, skep.Program)}
    until(
        lambda: not [p for p in objects.programs(DOOR) if p.id not in before[0] and p.name in names]
    )
    until(lambda: not [x for x in objects.links(DOOR) if x.id not in before[1] and x.type == 6])


pytestmark = pytest.mark.usefixtures("nothing_left")


def attach(live: Live, wire: Wire, *programs: skep.Program) -> list[ChainLink]:
    made = [live.attach(one, wire.device, netns=wire.right.path) for one in programs]
    assert all(isinstance(link, ChainLink) for link in made)
    return made  # type: ignore[return-value]  # as was just asserted


def trail(live: Live, frames: Frames, digit: int = 0) -> int:
    """The digits of the programs that one frame meets, in their order."""
    live[chained.trail][0] = 0
    before = sum(live[chained.seen].values())
    frames.send(digit)
    until(lambda: sum(live[chained.seen].values()) > before)
    return settled(lambda: live[chained.trail][0])


def settled(read: Callable[[], int]) -> int:
    """What does not change any more: the CPU on which the programs run may be away between two of them."""
    last, same = read(), 0
    while same < 4:
        time.sleep(0.005)
        now = read()
        last, same = now, same + 1 if now == last else 0
    return last


def test_programs_run_in_their_order_however_they_came(wire: Wire, frames: Frames) -> None:
    with skep.load(third, first, second) as live:
        attach(live, wire, third, first, second)
        assert trail(live, frames) == 123


def test_the_first_verdict_other_than_pass_ends_the_way(wire: Wire, frames: Frames) -> None:
    with skep.load(first, second, third, chained.aborts) as live:
        attach(live, wire, first, second, third, chained.aborts)
        assert [trail(live, frames, digit) for digit in (1, 2, 3)] == [1, 12, 123]
        assert live[chained.seen][9] == 0
        trail(live, frames)
        assert live[chained.seen][9] == 1


def test_programs_come_and_go_at_either_end_and_between(wire: Wire, frames: Frames) -> None:
    with skep.load(first, second, third, ahead, instead) as live:
        _, last = attach(live, wire, first, third)
        assert trail(live, frames) == 13
        (between,) = attach(live, wire, second)
        (before,) = attach(live, wire, ahead)
        assert trail(live, frames) == 5123
        between.update(live.programs["instead"])
        assert trail(live, frames) == 5173
        before.close()
        last.close()
        assert trail(live, frames) == 17
        between.close()
        assert trail(live, frames) == 1


def test_the_first_of_a_device_is_replaced_too(wire: Wire, frames: Frames) -> None:
    with skep.load(second, third, instead) as live:
        head, _ = attach(live, wire, second, third)
        head.update(live.programs["instead"])
        assert trail(live, frames) == 73


def test_no_frame_passes_the_others_while_one_changes(wire: Wire, frames: Frames) -> None:
    with skep.load(first, second, third, ahead, instead) as live:
        attach(live, wire, first, third)
        stop, sent = threading.Event(), list[int]()

        def flood() -> None:
            while not stop.is_set():
                frames.send(count=BURST)
                sent.append(BURST)
                until(lambda: live[chained.seen][3] >= sum(sent))  # a wire keeps few frames

        sender = threading.Thread(target=flood)
        sender.start()
        try:
            for _ in range(5):
                between, before = attach(live, wire, second, ahead)
                between.update(live.programs["instead"])
                between.close()
                before.close()
        finally:
            stop.set()
            sender.join()
        assert live[chained.seen][1] == live[chained.seen][3] == sum(sent) > 0


def test_two_that_want_one_place_are_a_conflict(wire: Wire, frames: Frames) -> None:
    with skep.load(first, second, instead) as live:
        attach(live, wire, first, second)
        with pytest.raises(Conflict, match=r"place 20 of the XDP chain of wire.*held by second"):
            attach(live, wire, instead)
        assert trail(live, frames) == 12


def test_a_stranger_on_the_device_is_named(wire: Wire) -> None:
    with skep.load(chained.stranger, first) as live:
        live.attach(chained.stranger, wire.device, netns=wire.right.path)
        with pytest.raises(Conflict, match=r"XDP program \d+ \(stranger\)"):
            attach(live, wire, first)
        number = live.programs["stranger"].info().id
        with pytest.raises(Conflict, match=f"XDP program {number} "):
            attach(live, wire, first)


def test_two_loads_share_a_device_by_one_dispatcher(wire: Wire, frames: Frames) -> None:
    dispatcher = Dispatcher()
    with skep.load(first, third, dispatcher=dispatcher) as live:
        attach(live, wire, first, third)
        with skep.load(ahead, dispatcher=dispatcher) as other:
            attach(other, wire, ahead)
            assert trail(live, frames) == 13
            assert other[chained.trail][0] == 5
        assert trail(live, frames) == 13


def test_without_one_dispatcher_they_are_strangers(wire: Wire) -> None:
    with skep.load(first) as live, skep.load(second) as other:
        attach(live, wire, first)
        with pytest.raises(Conflict, match=r"\(first\)"):
            attach(other, wire, second)


def test_one_program_serves_several_devices(wire: Wire, frames: Frames) -> None:
    with skep.load(first, second) as live:
        attach(live, wire, first, second)
        live.attach(first, wire.device, netns=wire.left.path)
        assert trail(live, frames) == 12


def test_a_device_that_goes_away_takes_its_chain_along(wire: Wire) -> None:
    with skep.load(first, second) as live:
        head, _ = attach(live, wire, first, second)
        wire.left.run("ip", "link", "delete", wire.device)
        head.close()


def test_a_program_that_does_not_go_on_is_no_part_of_a_chain(wire: Wire) -> None:
    with skep.load(first, chained.stranger) as live:
        (link,) = attach(live, wire, first)
        with pytest.raises(BadInput, match="does not go on"):
            link.update(live.programs["stranger"])
        with pytest.raises(BadInput, match="already"):
            link.update(live.programs["first"])
        link.close()
        with pytest.raises(BadInput, match="closed"):
            link.update(live.programs["first"])


def test_a_chain_is_as_long_as_the_kernel_follows(wire: Wire, frames: Frames) -> None:
    with ExitStack() as stack, skep.load(*chained.TOO_MANY) as live:
        stack.callback(live.close)
        *fitting, last = chained.TOO_MANY
        attach(live, wire, *fitting)
        frames.send()
        until(lambda: live[chained.seen][8] == len(fitting))
        with pytest.raises(BadInput, match="follows no more"):
            attach(live, wire, last)


def test_a_mode_is_that_of_the_whole_chain(wire: Wire, frames: Frames) -> None:
    with skep.load(first, second) as live:
        live.attach(first, wire.device, netns=wire.right.path, mode="generic")
        with pytest.raises(BadInput, match="not in 'native'"):
            live.attach(second, wire.device, netns=wire.right.path, mode="native")
        live.attach(second, wire.device, netns=wire.right.path)
        assert trail(live, frames) == 12
