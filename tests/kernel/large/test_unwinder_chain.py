"""A compiled program whose stack is known to the last frame, beside what the unwinder says of it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import skep
from examples.large.unwinder.program import on_sample
from examples.large.unwinder.state import DEPTH, End
from examples.large.unwinder.unwinder import Unwinder
from tests.kernel.examples.running import ROOT
from tests.kernel.large.chains import called
from tests.kernel.large.chains import chain as chain  # noqa: PLC0414 - a fixture, given on
from tests.kernel.large.unwound import begun, sampled

pytestmark = [
    pytest.mark.native("the program is compiled here"),
    pytest.mark.timeout(300),  # the first test compiles: over a minute where others compute, too
]


@pytest.fixture(scope="module")
def unwinder() -> Iterator[Unwinder]:
    with skep.load(on_sample) as live:
        yield Unwinder(live)


@pytest.mark.parametrize("depth", [0, 1, 2, 3, 4, 50, DEPTH - 4])
def test_every_frame_is_the_call_that_was_made(unwinder: Unwinder, chain: Path, depth: int) -> None:
    with begun(chain, str(depth)) as child:
        for one in sampled(unwinder, child.pid):
            assert [str(frame) for frame in one.frames] == called(depth)
            assert one.end == End.COMPLETE


@pytest.mark.parametrize("depth", [DEPTH - 3, 400])
def test_of_a_deeper_stack_the_innermost_frames_are_there(
    unwinder: Unwinder, chain: Path, depth: int
) -> None:
    with begun(chain, str(depth)) as child:
        for one in sampled(unwinder, child.pid):
            assert [str(frame) for frame in one.frames] == called(depth)[:DEPTH]
            assert one.end == End.DEEP


def test_a_profile_is_folded_and_says_how_much_of_it_is_whole(chain: Path) -> None:
    module = "examples.large.unwinder"
    with begun(chain, "3") as child:
        command = [sys.executable, "-m", module, str(child.pid), "--for", "1.5"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    stack, _, count = done.stdout.strip().rpartition(" ")
    assert stack == ";".join(reversed(called(3)))
    assert done.stderr == f"100.0% of {count} stacks are whole (complete {count})\n"
