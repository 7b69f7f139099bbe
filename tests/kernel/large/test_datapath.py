"""The datapath in the kernel, attached to nothing: each story of packets, by BPF_PROG_TEST_RUN."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

import skep
from examples.large.datapath.pod import from_pod, to_pod
from examples.large.datapath.state import IN, OUT, Settings, Verdict
from tests.unit.large.datapath_packets import Ends, tcp
from tests.unit.large.datapath_scenes import Scene, live
from tests.unit.large.datapath_services import SERVICE_STORIES
from tests.unit.large.datapath_stories import STORIES, WEB

SIZES = {"from_pod": 1200, "to_pod": 1118}
TOLERANCE = 0.1
VERIFIED = 80_000  # Linux 6.1 takes 66,800 for what 6.18 takes 20,000 for
PROGRAMS = [from_pod, to_pod]  # compiled beforehand for machines without a compiler


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    """One for all stories: another kernel may take seconds to verify the programs."""
    with ExitStack() as stack:
        yield live(stack)


@pytest.mark.parametrize("story", [*STORIES, *SERVICE_STORIES], ids=lambda story: story.__name__)
def test_the_pod_in_the_kernel(story: Callable[[Scene], None], scene: Scene) -> None:
    story(scene.begin())


@pytest.mark.parametrize("direction", [OUT, IN])
def test_without_a_default_of_refusing_what_no_policy_names_passes(direction: int) -> None:
    given = Settings([1, 1], [60] * 8)
    given.default_deny[direction] = 0
    with ExitStack() as stack:
        scene = live(stack, given)
        assert scene.meets(direction, tcp(WEB)) == Verdict.NEW
        assert scene.meets(1 - direction, tcp(Ends("10.3.0.3", "10.4.0.4"))) == Verdict.NOT_ALLOWED


def test_the_sizes_are_as_they_were() -> None:
    """How many instructions the programs have, and how many the verifier looks at until it is content."""
    with skep.load(from_pod, to_pod, attach=False) as loaded:
        for one in loaded.programs.values():
            assert one.info().verified_insns <= VERIFIED
        sizes = {name: len(one.spec.insns) // 8 for name, one in loaded.programs.items()}
    assert sizes == {name: pytest.approx(size, rel=TOLERANCE) for name, size in SIZES.items()}
