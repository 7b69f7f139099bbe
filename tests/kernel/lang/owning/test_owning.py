"""Objects with lists and trees of their own do the same in the kernel and as plain Python."""

import pytest

import skep
from tests.kernel.lang.owning import programs as p

pytestmark = pytest.mark.requires("btf.objects")


def test_objects_have_lists_and_trees_of_their_own() -> None:
    with skep.load(p.opens_flow, p.takes_packet, p.ends_flow, p.alone, attach=False) as live:
        kernel = skep.FakeKernel()

        def both(program: skep.Program, size: int = 20) -> tuple[int, list[int]]:
            found = live.programs[program.name].test_run(bytes(size)).retval
            assert program.py(bytes(size), kernel=kernel) == found
            assert dict(live[p.left].items()) == dict(kernel[p.left])
            return found, list(live[p.left].values())

        assert both(p.takes_packet)[0] == 3
        assert both(p.alone)[0] == 2
        assert [both(p.opens_flow, size)[0] for size in (20, 40)] == [2, 2]
        assert both(p.takes_packet) == (2, [20, 3, 7, 9])
        assert both(p.takes_packet) == (2, [21, 4, 7, 9])
        assert both(p.takes_packet) == (2, [0, 5, 7, 9])
        assert [both(p.ends_flow)[0] for _ in range(3)] == [2, 2, 3]
        assert live[p.flows][0].count == kernel[p.flows][0].count == 2
