"""The datapath's twin in C meets the same packets with the same verdicts, so that the two can be compared."""

from collections.abc import Callable, Iterator

import pytest

from bench.clang import TWINS, Clang
from examples.large.datapath.pod import from_pod, to_pod
from skep.program.machine import Machine
from skep.program.objects import compiled
from tests.kernel.bench.conftest import libbpf as libbpf  # noqa: PLC0414 - a fixture, given on
from tests.kernel.bench.conftest import machine as machine  # noqa: PLC0414 - a fixture, given on
from tests.kernel.bench.conftest import peer as peer  # noqa: PLC0414 - a fixture, given on
from tests.kernel.bench.libbpf import Libbpf, Object, twin
from tests.unit.large.datapath_scenes import Scene, driven
from tests.unit.large.datapath_services import SERVICE_STORIES
from tests.unit.large.datapath_stories import STORIES

pytestmark = pytest.mark.native("clang's objects are made for the kernel of this machine")
PROGRAMS = [from_pod, to_pod]


@pytest.fixture(scope="module")
def scene(machine: Machine, peer: Clang, libbpf: Libbpf) -> Iterator[Scene]:
    data = peer.object(TWINS / "large_datapath.c")
    pairs = list(zip(PROGRAMS, compiled(PROGRAMS, machine), strict=True))
    names = [program.name for program in PROGRAMS]
    with Object(libbpf, data, names) as made, twin(made, pairs, machine) as loaded:
        yield driven(loaded)


@pytest.mark.parametrize("story", [*STORIES, *SERVICE_STORIES], ids=lambda story: story.__name__)
def test_the_twin_in_c(story: Callable[[Scene], None], scene: Scene) -> None:
    story(scene.begin())
