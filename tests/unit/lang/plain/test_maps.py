import errno
from copy import copy

import pytest

from skep.base.errors import KernelError
from skep.lang.maps import Array, Global, Hash, Lpm, LruHash, PerCpuArray, PerCpuHash, Ring
from skep.lang.plain.kernel import FakeKernel
from skep.lang.plain.maps import FakeMap
from skep.lang.plain.memory import ArrayView, Reference, StructView, View, fresh
from skep.lang.plain.rings import FakeRing
from skep.lang.types import be16, be32, char, u8, u16, u32, u64
from tests.unit.lang.prelude import Note, Pair, Prefix, Wide


def fake(declared: Hash | Array | Lpm | PerCpuHash | LruHash) -> FakeMap:
    made = FakeKernel()[declared]
    assert isinstance(made, FakeMap)
    return made


def reference(view: View | None) -> Reference:
    assert isinstance(view, Reference)
    return view


def test_what_a_lookup_gives_writes_through() -> None:
    numbers = fake(Hash(u32, u64, 4))
    assert numbers.inside.lookup(1) is None
    numbers[1] = 5
    found = reference(numbers.inside.lookup(1))
    found[0] = int(found) + (1 << 64)
    assert (numbers[1], found == 5, bool(found)) == (5, True, True)
    found[0] = 7
    assert numbers[1] == 7


def test_keys_and_values_are_bytes_of_their_types() -> None:
    ports = fake(Hash(be16, be32, 4))
    ports.inside[0x10050] = -1
    assert dict(ports) == {80: 0xFFFFFFFF}
    pairs = fake(Hash(Pair, Wide, 4))
    pairs.inside[Pair(1, 2)] = Wide(small=300, name="a long name that is cut")
    assert pairs[fresh(Pair, 1, 2)].small == 44
    assert pairs[Pair(1, 2)].name == "a long name that"


def test_a_default_is_set_where_an_entry_is_missing() -> None:
    numbers = fake(Hash(u32, u64, 2))
    numbers[1] = 5
    assert reference(numbers.inside.setdefault(1, 9)) == 5
    reference(numbers.inside.setdefault(2))[0] = 7
    assert dict(numbers) == {1: 5, 2: 7}
    assert numbers.inside.setdefault(3) is None
    array = fake(Array(u64, 1))
    assert reference(array.inside.setdefault(0, 9)) == 0
    assert array.inside.setdefault(1) is None


def test_each_entry_is_gone_through_until_something_is_true() -> None:
    numbers = fake(Hash(u32, u64, 4))
    numbers.update({1: 10, 2: 20, 3: 30})
    seen = []

    def sees(key: View, value: View) -> bool:
        seen.append((int(reference(key)), int(reference(value))))
        return int(reference(key)) == 2

    assert (numbers.inside.for_each(sees), seen) == (2, [(1, 10), (2, 20)])


def test_updates_fail_as_in_the_kernel() -> None:
    numbers = fake(Hash(u32, u64, 2))
    assert numbers.inside.update(1, 1, 2) == -errno.ENOENT
    assert numbers.inside.update(1, 1) == 0
    assert numbers.inside.update(1, 1, 1) == -errno.EEXIST
    assert numbers.inside.update(2, 1) == 0
    assert numbers.inside.update(3, 1) == -errno.E2BIG
    assert numbers.inside.delete(9) == -errno.ENOENT
    assert numbers.inside.delete(1) == 0
    assert len(numbers) == 1


def test_an_array_is_full_of_zeros_and_nothing_leaves_it() -> None:
    single = fake(Array(u64, 3))
    assert dict(single) == {0: 0, 1: 0, 2: 0}
    assert single.inside.lookup(3) is None
    assert single.inside.update(3, 1) == -errno.E2BIG
    assert single.inside.delete(1) == -errno.EINVAL


def test_a_map_that_forgets_forgets_what_was_used_least_recently() -> None:
    recent = fake(LruHash(u32, u32, 2))
    recent[1], recent[2] = 1, 2
    recent.inside.lookup(1)
    recent[3] = 3
    assert set(recent) == {1, 3}


def test_counting_makes_what_is_missing() -> None:
    numbers = fake(Hash(u32, u32, 1))
    numbers.inside.increment(1)
    numbers.inside.increment(1, 0xFFFFFFFF)
    numbers.inside.increment(2)
    assert dict(numbers) == {1: 0}


@pytest.mark.parametrize(
    ("address", "found"),
    [((10, 0, 0, 9), 32), ((10, 0, 0, 8), 8), ((10, 0, 0, 6), 31), ((11, 0, 0, 0), None)],
)
def test_a_map_by_prefix_gives_the_longest(address: tuple[int, ...], found: int | None) -> None:
    prefixes = fake(Lpm(Prefix, u32, 8))
    for bits, value in ((8, [10, 0, 0, 0]), (31, [10, 0, 0, 6]), (32, [10, 0, 0, 9])):
        prefixes[Prefix(bits, value)] = bits
    view = prefixes.inside.lookup(Prefix(32, list(address)))
    assert (None if view is None else int(reference(view))) == found


def test_a_program_sees_its_cpus_value_and_a_test_all() -> None:
    kernel = FakeKernel(cpus=3)
    for declared in (PerCpuArray(u64, 1), PerCpuHash(u32, u64, 4)):
        for cpu in (0, 2, 2):
            kernel.cpu = cpu
            kernel.inside(declared).increment(0, 10)
        assert kernel[declared][0] == [10, 0, 20]
        kernel[declared][0] = [1, 2, 3]
        assert int(reference(kernel.inside(declared).lookup(0))) == 3


def test_views_reach_into_structs_and_arrays() -> None:
    view = fresh(Wide, small=1, inner=fresh(Pair, 5, 6))
    assert isinstance(view, StructView)
    view.pairs[2] = view.inner
    view.pairs[2].first += 1
    view.bytes[1] = 257
    view.name = "abc"
    view.port = 80
    made = Wide.from_bytes(bytes(view))
    assert (made.pairs[2], made.bytes[:2], made.name, made.port) == (Pair(6, 6), [0, 1], "abc", 80)  # type: ignore[index]
    with pytest.raises(IndexError):
        view.bytes[8] = 1
    with pytest.raises(IndexError):
        view.bytes[-9] = 1
    with pytest.raises(AttributeError, match="Wide has no field 'smal'"):
        view.smal = 1
    with pytest.raises(TypeError, match="cannot be copied"):
        view.inner = view.pairs
    buffer = fresh(u8[16])
    assert isinstance(buffer, ArrayView)
    assert (len(buffer), list(buffer)[:2]) == (16, [0, 0])


def ring(size: int = 4096) -> tuple[FakeKernel, FakeRing, Ring]:
    declared, kernel = Ring(Note, size=size), FakeKernel(now=77, cpu=1)
    return kernel, kernel[declared], declared


def test_a_record_is_stamped_and_counted() -> None:
    _, made, _ = ring()
    for number in range(2):
        record = made.reserve()
        assert record is not None
        record.pid = number
        record.submit()
    events = made.poll()
    assert [(e.time, e.seq, e.cpu, e.kind, e.pid) for e in events] == [
        (77, i, 1, Note.kind_number, i) for i in range(2)
    ]
    assert (made.attempts, made.lost, made.poll()) == (2, 0, [])


def test_a_ring_that_is_full_refuses_and_counts_until_it_is_read() -> None:
    _, made, _ = ring()
    taken = 0
    while (record := made.reserve()) is not None:
        record.submit()
        taken += 1
    assert taken == 4096 // (Note.size + 8)
    assert (made.attempts, made.lost) == (taken + 1, 1)
    assert len(made.poll()) == taken
    assert made.reserve() is not None


def test_a_record_ends_once() -> None:
    _, made, _ = ring()
    record = made.reserve()
    assert record is not None
    record.discard()
    assert made.poll() == []
    with pytest.raises(RuntimeError, match="submitted or discarded before"):
        record.submit()


def test_memory_is_put_into_a_ring_as_it_is() -> None:
    _, made, _ = ring()
    assert made.output(fresh(Pair, 1, 2)) == 0
    assert made.output(fresh(char[8]), 3) == 0
    assert made.poll() == [Pair(1, 2).to_bytes(), bytes(3)]


def test_two_kernels_share_nothing() -> None:
    declared = Hash(u16, u16, 4)
    one, two = FakeKernel(), FakeKernel()
    one[declared][1] = 5
    assert dict(two[declared]) == {}
    assert one[declared] is one[declared]


def test_to_a_test_a_map_is_a_dictionary() -> None:
    numbers = fake(Hash(u32, u64, 3))
    numbers.update({1: 10, 2: 20})
    assert numbers.pop(1) == 10
    assert (numbers.setdefault(3, 30), numbers.get(9), 2 in numbers, len(numbers)) == (
        30,
        None,
        True,
        2,
    )
    with pytest.raises(KeyError):
        del numbers[9]
    assert numbers.drain() == [(2, 20), (3, 30)]
    assert dict(numbers) == {}


def test_a_map_refuses_what_a_live_one_refuses() -> None:
    numbers, single, each = (
        fake(Hash(u32, u64, 1)),
        fake(Array(u64, 2)),
        fake(PerCpuHash(u32, u64, 1)),
    )
    numbers[1] = 1
    with pytest.raises(KernelError, match="it is full: it has 1 entries"):
        numbers[2] = 2
    with pytest.raises(ValueError, match="from 0 to 18446744073709551615, not -1"):
        numbers[1] = -1
    with pytest.raises(TypeError, match="an integer, not '1'"):
        numbers["1"] = 1
    with pytest.raises(IndexError, match="behind the 2 entries"):
        single[2] = 1
    with pytest.raises(TypeError, match="not deleted"):
        del single[1]
    with pytest.raises(TypeError, match="for each of 2 CPUs"):
        each[1] = 5


def test_an_array_that_is_cleared_is_zero() -> None:
    single = fake(Array(u64, 2))
    single[1] = 5
    assert single.drain() == [(0, 0), (1, 5)]
    assert dict(single) == {0: 0, 1: 0}
    single[1] = 5
    single.clear()
    assert dict(single) == {0: 0, 1: 0}


def test_a_global_has_its_fields_as_attributes() -> None:
    declared = Global(Pair, Pair(1, 2))
    variables = FakeKernel()[declared]
    variables.first += 4
    assert (variables.first, variables.second, copy(variables)) == (5, 2, Pair(5, 2))
    variables[0] = Pair(7, 8)
    assert (dict(variables), dir(variables)) == ({0: Pair(7, 8)}, ["first", "second"])
    with pytest.raises(ValueError, match=r"Pair\.first is a u32"):
        variables.first = -1
    with pytest.raises(AttributeError, match="Pair has no field 'third'"):
        variables.third = 1
