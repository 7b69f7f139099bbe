"""The large programs give the same answers as their twins in C."""

import random
import time
from pathlib import Path

import pytest

from bench._unwinder import SHARE, unwinding
from examples.large.matcher.matcher import Matcher
from examples.large.matcher.watched import rules, watched
from examples.large.unwinder.program import MIX
from examples.large.unwinder.state import DEPTH
from examples.large.unwinder.unwinder import Unwinder
from tests.kernel.bench.conftest import Loads
from tests.kernel.large.chains import called
from tests.kernel.large.chains import chain as chain  # noqa: PLC0414 - a fixture, given on
from tests.kernel.large.unwound import begun, gathered, total

SAMPLES = 20


def test_the_matcher(both: Loads) -> None:
    loaded = both("examples/large/matcher", "match_path")
    ours, theirs = (Matcher(side, watched()) for side in loaded.sides)
    rng = random.Random(7)
    pieces = [text.encode() for _, text in rules()]
    paths = [b"".join(rng.choices(pieces, k=rng.randrange(6))) for _ in range(300)]
    paths += [path * 40 for path in paths[:20]]
    answers = [ours.match(path) for path in paths]
    assert answers == [theirs.match(path) for path in paths]
    assert len(set(answers)) > 100
    assert loaded.maps("answer")[0] == loaded.maps("answer")[1]


@pytest.mark.parametrize("depth", [0, 50, 2 * DEPTH])
def test_the_unwinder(both: Loads, chain: Path, depth: int) -> None:
    """Both walk up the same process; only where in its loop they meet it is theirs."""
    loaded = both("examples/large/unwinder", "on_sample")
    unwinders = [Unwinder(side) for side in loaded.sides]
    with begun(chain, str(depth)) as child:
        for one in unwinders:
            one.watch(child.pid)
        loaded.attach("on_sample", pid=child.pid)
        ours, theirs = (
            {
                (one.end, *(frame.address for frame in one.frames[1:]))
                for one in gathered(side, child.pid, lambda found: total(found) >= SAMPLES)
            }
            for side in unwinders
        )
    assert ours == theirs
    ((_, *callers),) = ours
    assert len(callers) == len(called(depth)[1:DEPTH])


def test_the_unwinder_knows_a_stack_by_the_same_number(both: Loads, chain: Path) -> None:
    loaded = both("examples/large/unwinder", "on_sample")
    with begun(chain, "9") as child:
        for side in loaded.sides:
            Unwinder(side).watch(child.pid)
        loaded.attach("on_sample", pid=child.pid)
        for side in loaded.sides:
            held = side[loaded.named("stacks")]
            while not len(held):
                time.sleep(0.01)
            for key, value in held.items():
                assert key.hash == mixed(value.frames[: value.depth])


def test_the_unwinder_is_timed_while_a_process_is_sampled(both: Loads) -> None:
    loaded = both("examples/large/unwinder", "on_sample")
    with unwinding() as given:
        assert min(given(side)(20 * SHARE) for side in loaded.sides) > 0
    assert min(side.programs["on_sample"].info().run_cnt for side in loaded.sides) >= 20


def mixed(frames: list[int]) -> int:
    found = 0
    for frame in frames:
        found = (found ^ frame) * MIX % (1 << 64)
        found ^= found >> 32
    return found
