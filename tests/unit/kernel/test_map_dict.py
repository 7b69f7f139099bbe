"""A live map is used like a dict; what does not fit is refused and changes nothing. Against the fake kernel."""

import errno
import ipaddress

import numpy as np
import pytest

from skep.base.errors import KernelError
from skep.kernel import cpus
from skep.kernel.commands import Command
from skep.kernel.maps import Map
from skep.lang.prefixes import Prefix4
from skep.lang.spec import MapSpec, MapType
from skep.lang.special import SpinLock
from skep.lang.struct import Struct
from skep.lang.types import be16, char, u32, u64
from skep.testing.door import FakeDoor
from skep.testing.fake_maps import FakeMap
from tests.unit.kernel.samples import HASH, Key, Value, live


@pytest.fixture
def door() -> FakeDoor:
    return FakeDoor()


@pytest.fixture
def numbers(door: FakeDoor) -> Map:
    made = live(door, MapType.HASH, u32, u64, entries=4)
    made.update({1: 10, 2: 20})
    return made


def test_views_are_those_of_a_dict(numbers: Map) -> None:
    assert (1 in numbers.keys(), 20 in numbers.values(), (2, 20) in numbers.items()) == (True,) * 3  # noqa: SIM118 - the view
    assert (3 in numbers.keys(), 30 in numbers.values(), (2, 10) in numbers.items()) == (False,) * 3  # noqa: SIM118 - the view
    assert None not in numbers.items()
    assert dict(numbers.items()) == {1: 10, 2: 20}


def test_items_are_read_many_at_a_time(door: FakeDoor, numbers: Map) -> None:
    door.calls.clear()
    assert sorted(numbers.items()) == [(1, 10), (2, 20)]
    assert door.calls == [Command.MAP_LOOKUP_BATCH]


def test_popping(numbers: Map) -> None:
    assert numbers.pop(1) == 10
    assert numbers.pop(1, None) is None
    with pytest.raises(KeyError):
        numbers.pop(1)
    assert numbers.popitem() == (2, 20)
    with pytest.raises(KeyError, match="m is empty"):
        numbers.popitem()


@pytest.mark.parametrize("code", [errno.EINVAL, errno.EOPNOTSUPP, 524])
def test_popping_where_the_kernel_cannot_do_both_at_once(
    door: FakeDoor, numbers: Map, code: int
) -> None:
    door.refuse(Command.MAP_LOOKUP_AND_DELETE, code, times=2)
    assert numbers.pop(1) == 10
    assert 1 not in numbers
    assert numbers.pop(1, "none") == "none"


def test_a_default_is_set_once(numbers: Map) -> None:
    assert numbers.setdefault(3, 30) == 30
    assert numbers.setdefault(3, 31) == 30
    numbers[4] = 40
    with pytest.raises(KernelError, match="E2BIG"):
        numbers.setdefault(5, 50)


def test_updating_takes_a_dict_pairs_or_another_map(door: FakeDoor, numbers: Map) -> None:
    other = live(door, MapType.HASH, u32, u64, entries=4)
    other.update(numbers)
    other.update([(1, 11), (3, 30)])
    other.update()
    assert dict(other.items()) == {1: 11, 2: 20, 3: 30}


def test_updating_writes_all_at_once_or_one_by_one(door: FakeDoor, numbers: Map) -> None:
    door.calls.clear()
    numbers.update({3: 30, 4: 40})
    assert door.calls == [Command.MAP_UPDATE_BATCH]
    door.refuse(Command.MAP_UPDATE_BATCH, 524)
    numbers.update({3: 33, 4: 44})
    assert dict(numbers.items()) == {1: 10, 2: 20, 3: 33, 4: 44}


def test_an_update_with_one_wrong_entry_changes_nothing(door: FakeDoor, numbers: Map) -> None:
    with pytest.raises(
        ValueError, match="m: value is a u64, from 0 to 18446744073709551615, not -"
    ):
        numbers.update({1: 11, 3: -1})
    assert dict(numbers.items()) == {1: 10, 2: 20}


def test_an_update_that_finds_no_room_says_how_far_it_came(numbers: Map) -> None:
    with pytest.raises(
        KernelError, match=r"E2BIG.*\(the map is declared for 4; 2 of 3 were written"
    ):
        numbers.update({5: 1, 6: 1, 7: 1})


def test_a_full_map_says_how_many_entries_it_has(numbers: Map) -> None:
    numbers.update({3: 30, 4: 40})
    with pytest.raises(
        KernelError, match=r"E2BIG\] \(the map is full: it is declared for 4 entries"
    ):
        numbers[5] = 50
    assert 5 not in numbers


def test_wrong_keys_and_values_are_refused_and_change_nothing(door: FakeDoor) -> None:
    flows = Map.create(HASH, door=door)
    door.calls.clear()
    with pytest.raises(ValueError, match=r"flows: key.port is a be16, from 0 to 65535, not 65536"):
        flows[Key(1, 65536)] = Value(1)
    with pytest.raises(TypeError, match="flows: key is a Key, not 5"):
        flows[5] = Value(1)
    with pytest.raises(ValueError, match=r"flows: value.name takes 6 bytes of text, not 9"):
        flows[Key(1, 1)] = Value(1, "ninebytes")
    for use in (flows.get, flows.pop, flows.__contains__, flows.__getitem__, flows.__delitem__):
        with pytest.raises(TypeError, match="flows: key is a Key, not 'x'"):
            use("x")
    assert door.calls == []


def test_an_array_has_no_entry_behind_its_end_and_keeps_those_it_has(door: FakeDoor) -> None:
    array = live(door, MapType.ARRAY, u32, u64, entries=4)
    for use in (array.__getitem__, lambda key: array.update({key: 1})):
        with pytest.raises(IndexError, match="m has entries 0 to 3, not 4"):
            use(4)
    assert 4 not in array
    assert array.get(4, 7) == 7
    for remove in (array.__delitem__, array.pop, lambda _: array.popitem()):
        with pytest.raises(TypeError, match="entries of an array cannot be"):
            remove(1)


def test_each_cpu_has_a_value_of_its_own_and_all_are_given(door: FakeDoor) -> None:
    count = len(cpus.possible())
    counts = live(door, MapType.PERCPU_HASH, u32, u32)
    with pytest.raises(TypeError, match=f"m: value is a list of {count} values"):
        counts[1] = 5
    with pytest.raises(ValueError, match=r"m: value\[0\] is a u32"):
        counts[1] = [-1] * count
    assert len(counts) == 0


def test_networks_are_keys(door: FakeDoor) -> None:
    routes = Map.create(MapSpec("routes", MapType.LPM_TRIE, Prefix4, u32, 8, 1), door=door)
    routes[ipaddress.ip_network("10.0.0.0/8")] = 1
    routes[ipaddress.ip_network("10.1.0.0/16")] = 2
    assert routes[ipaddress.ip_address("10.1.2.3")] == 2
    assert routes[ipaddress.ip_address("10.2.2.3")] == 1
    assert ipaddress.ip_address("11.0.0.1") not in routes
    assert list(routes) == [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("10.1.0.0/16")]


def test_all_entries_are_two_arrays(door: FakeDoor, numbers: Map) -> None:
    keys, values = numbers.arrays()
    assert dict(zip(keys.tolist(), values.tolist(), strict=True)) == {1: 10, 2: 20}
    numbers.clear()
    keys, values = numbers.arrays()
    assert (keys.shape, values.shape) == ((0,), (0,))
    assert (str(keys.dtype), str(values.dtype)) == ("uint32", "uint64")


def test_arrays_are_written_as_they_are_read(door: FakeDoor) -> None:
    numbers = live(door, MapType.HASH, u32, u64, entries=8)
    numbers.update_arrays([1, 2], np.array([10, 1 << 63], dtype="u8"))
    numbers.update_arrays([], [])
    assert dict(numbers.items()) == {1: 10, 2: 1 << 63}
    flows = live(door, MapType.HASH, Flow, Pair, entries=8)
    flows[Flow(7, "ab")] = Pair([1, 2])
    keys, values = flows.arrays()
    keys["port"], values["both"] = 9, [3, 4]
    flows.update_arrays(keys, values)
    assert dict(flows.items()) == {Flow(7, "ab"): Pair([1, 2]), Flow(9, "ab"): Pair([3, 4])}


def test_arrays_of_a_per_cpu_map_have_a_column_for_each_cpu(door: FakeDoor) -> None:
    counts = live(door, MapType.PERCPU_ARRAY, u32, u32, entries=4)
    each = np.arange(len(cpus.possible()))
    counts.update_arrays([3, 0], np.array([each, each + 1]))
    assert counts[3] == each.tolist()
    assert counts[0] == (each + 1).tolist()
    assert sum(counts[1]) == 0


@pytest.mark.parametrize(
    ("keys", "values", "error", "said"),
    [
        ([1, 2], [1], ValueError, "m: there are 2 keys and 1 values"),
        ([1], [-1], ValueError, "m: values are from 0 to 18446744073709551615"),
        ([1 << 32], [1], ValueError, "m: keys are from 0 to 4294967295"),
        ([1], [1.5], TypeError, "m: values are integers, not float64"),
        ([[1, 2]], [1], ValueError, r"m: keys have the shape \(1,\), not \(1, 2\)"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_and_change_nothing(
    numbers: Map, keys: list[int], values: list[int], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        numbers.update_arrays(keys, values)
    assert dict(numbers.items()) == {1: 10, 2: 20}


def test_arrays_of_other_fields_and_indices_behind_the_end_are_refused(door: FakeDoor) -> None:
    flows = live(door, MapType.HASH, Flow, u32, entries=8)
    with pytest.raises(TypeError, match="m: keys have the fields port, name, not those of int64"):
        flows.update_arrays([1], [1])
    long = np.array([(1, b"abcde")], dtype=[("port", "u2"), ("name", "S5")])
    with pytest.raises(ValueError, match=r"m: keys.name are of at most 4 bytes, not of up to 5"):
        flows.update_arrays(long, [1])
    with pytest.raises(IndexError, match="entries 0 to 3, not 4"):
        live(door, MapType.ARRAY, u32, u32, entries=4).update_arrays([0, 4], [1, 1])


class Flow(Struct):
    port: be16
    name: char[4]


class Pair(Struct):
    both: u32[2]


class Account(Struct):
    lock: SpinLock
    total: u64


def test_a_value_with_a_lock_is_read_and_written_under_it(door: FakeDoor) -> None:
    accounts = live(door, MapType.HASH, u32, Account, entries=8)
    accounts[1] = Account(total=5)
    accounts.update({2: Account(total=6), 3: Account(total=7)})
    assert accounts[1] == Account(total=5)
    assert accounts.pop(2) == Account(total=6)
    assert len(list(accounts.items())) == len(accounts) == 2
    accounts.clear()
    (made,) = door.of(FakeMap)
    assert isinstance(made, FakeMap)
    assert made.unlocked == 0
    plain = live(door, MapType.HASH, u32, u64)
    plain[1] = 5
    assert [one.unlocked for one in door.of(FakeMap) if isinstance(one, FakeMap)] == [0, 1]


def test_no_entry_at_a_time_is_no_batch(numbers: Map) -> None:
    with pytest.raises(ValueError, match="at least one entry, not 0"):
        numbers.batches(0)


def test_an_array_is_drained_into_zeros(door: FakeDoor) -> None:
    counts = live(door, MapType.ARRAY, u32, u64, entries=3)
    counts[1] = 7
    assert counts.drain() == [(0, 0), (1, 7), (2, 0)]
    assert list(counts.values()) == [0, 0, 0]


def test_the_length_of_an_array_and_no_entries_at_all_ask_nothing_of_the_kernel(
    door: FakeDoor,
) -> None:
    counts = live(door, MapType.ARRAY, u32, u64, entries=3)
    door.calls.clear()
    assert len(counts) == 3
    counts.update_arrays(np.empty(0, "u4"), np.empty(0, "u8"))
    assert door.calls == []
