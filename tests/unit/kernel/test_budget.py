"""One budget, divided by weight, within bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from skep.kernel.budget import Want, divide, entry_bytes, map_bytes, total
from skep.lang.spec import MapSpec, MapType
from skep.lang.types import u32, u64

MB = 1 << 20


def test_the_budget_is_a_share_of_memory_and_never_too_small() -> None:
    assert total(64 << 30) == int((64 << 30) * 0.0025)
    assert total(4 << 30) == 32 * MB


def test_rings_are_powers_of_two_by_weight() -> None:
    sizes = divide(64 * MB, [Want("a", 4), Want("b", 2), Want("c", 2)])
    assert sizes == {"a": 32 * MB, "b": 16 * MB, "c": 16 * MB}


def test_what_one_cannot_use_goes_to_the_others() -> None:
    sizes = divide(64 * MB, [Want("small", 2, most=MB), Want("large", 2)])
    assert sizes == {"small": MB, "large": 32 * MB}
    assert divide(33 * MB, [Want("small", 2, most=MB), Want("large", 2)])["large"] == 32 * MB


def test_a_map_gets_entries_of_its_size() -> None:
    sizes = divide(MB, [Want("procs", 1, unit=300, least=10, power_of_two=False)])
    assert sizes == {"procs": MB // 300}


@given(
    some.integers(0, 1 << 32),
    some.lists(
        some.builds(
            Want,
            some.uuids().map(str),
            some.floats(0.1, 10),
            some.integers(1, 500),
            some.integers(1, 1 << 16),
            some.integers(1 << 16, 1 << 30),
            some.booleans(),
        ),
        min_size=1,
        max_size=6,
    ),
)
def test_bounds_hold_and_the_budget_is_kept_unless_the_least_is_more(
    budget: int, wants: list[Want]
) -> None:
    sizes = divide(budget, wants)
    assert list(sizes) == [want.name for want in wants]
    for want in wants:
        assert want.least <= sizes[want.name] <= want.most
    spent = sum(sizes[want.name] * want.unit for want in wants)
    assert spent <= max(budget, sum(want.least * want.unit for want in wants))


@pytest.mark.parametrize(
    ("kind", "cpus", "each"),
    [
        (MapType.ARRAY, 4, 8),
        (MapType.PERCPU_ARRAY, 4, 32),
        (MapType.HASH, 4, 8 + 8 + 72),
        (MapType.PERCPU_HASH, 4, 8 + 32 + 80),
        (MapType.LPM_TRIE, 4, 8 + 8 + 48),
        (MapType.DEVMAP, 4, 8),
    ],
)
def test_per_cpu_maps_are_reckoned_with_every_possible_cpu(
    kind: MapType, cpus: int, each: int
) -> None:
    spec = MapSpec("m", kind, u32, u64, 10)
    assert entry_bytes(spec, cpus) == each
    assert map_bytes(spec, cpus) == 10 * each


def test_a_ring_takes_its_bytes() -> None:
    for kind in (MapType.RINGBUF, MapType.USER_RINGBUF):
        assert map_bytes(MapSpec("r", kind, None, None, MB), 64) == MB


def test_maps_without_keys_take_their_values() -> None:
    assert map_bytes(MapSpec("q", MapType.QUEUE, None, u64, 10), 4) == 80
    assert map_bytes(MapSpec("b", MapType.BLOOM_FILTER, None, u64, 10, extra=5), 4) == 20
