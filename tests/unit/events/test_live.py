"""The live objects of ``kernel`` are what the Protocols ask for: mypy checks the first half, this module the names."""

from typing import TYPE_CHECKING

import pytest

from skep.events import live
from skep.kernel.link import Link
from skep.kernel.maps import Map
from skep.kernel.programs import Program
from skep.kernel.rings import RingReader

if TYPE_CHECKING:

    def _are(
        ring: RingReader, table: Map, program: Program, link: Link
    ) -> tuple[live.Ring, live.Map[int, int], live.Program, live.Link]:
        return ring, table, program, link


PAIRS = (
    (live.Ring, RingReader),
    (live.Map, Map),
    (live.Program, Program),
    (live.Link, Link),
)
IN_INSTANCES = {"data", "size", "records", "tails"}


@pytest.mark.parametrize(("protocol", "real"), PAIRS, ids=lambda kind: kind.__name__)
def test_the_real_thing_has_what_the_protocol_names(protocol: type, real: type) -> None:
    named = {name for base in protocol.__mro__ for name in vars(base) if not name.startswith("_")}
    assert named
    assert {name for name in named if not hasattr(real, name)} <= IN_INSTANCES
