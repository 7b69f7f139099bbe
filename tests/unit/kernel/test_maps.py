"""A live map is a dict of Python values; what the kernel refuses has a name. Against the fake kernel."""

import errno
import struct

import pytest

from skep.base.errors import Conflict, Forbidden, KernelError, Unsupported
from skep.kernel import cpus
from skep.kernel.commands import Command
from skep.kernel.elements import EXIST, NOEXIST
from skep.kernel.maps import Map
from skep.kernel.pinned import hold, reuse
from skep.lang.spec import MapSpec, MapType
from skep.lang.types import char, u32, u64
from skep.testing.door import FakeDoor
from skep.testing.fake_maps import FakeMap
from tests.unit.kernel.samples import HASH, Key, Prefix, Value, live


@pytest.fixture
def door() -> FakeDoor:
    return FakeDoor()


@pytest.fixture
def flows(door: FakeDoor) -> Map:
    return Map.create(HASH, door=door)


def test_values_go_in_and_come_out_as_what_they_are(flows: Map) -> None:
    flows[Key(1, 443)] = Value(5, "eth0")
    assert flows[Key(1, 443)] == Value(5, "eth0")
    assert Key(1, 443) in flows
    assert Key(2, 443) not in flows
    assert list(flows) == list(flows.keys()) == [Key(1, 443)]
    assert list(flows.items()) == [(Key(1, 443), Value(5, "eth0"))]
    assert list(flows.values()) == [Value(5, "eth0")]
    assert len(flows) == 1


def test_a_key_that_is_missing_behaves_as_in_a_dict(flows: Map) -> None:
    with pytest.raises(KeyError):
        flows[Key(9, 9)]
    with pytest.raises(KeyError):
        del flows[Key(9, 9)]
    assert flows.get(Key(9, 9)) is None
    assert flows.get(Key(9, 9), 7) == 7


def test_a_key_of_any_bytes_is_found_by_what_was_read(door: FakeDoor) -> None:
    names = live(door, MapType.HASH, char[8], u32)
    for raw in (b"ab\0rest\0", b"K\xc3\0\0\0\0\0\0"):
        names.put(raw, bytes(4))
    for name in list(names):
        names[name] += 5
        assert names.pop(name) == 5
    assert list(names) == []


def test_an_empty_map_is_still_true(flows: Map) -> None:
    assert len(flows) == 0
    assert flows


def test_deleting_and_clearing(flows: Map) -> None:
    for port in range(5):
        flows[Key(1, port)] = Value(port)
    del flows[Key(1, 3)]
    assert len(flows) == 4
    flows.clear()
    assert list(flows) == []


def test_taking_reads_and_deletes_at_once(flows: Map) -> None:
    flows[Key(1, 1)] = Value(5)
    key = Key(1, 1).to_bytes()
    assert flows.take(key) == Value(5).to_bytes()
    assert flows.take(key) is None


def test_a_per_cpu_map_has_a_value_for_each_possible_cpu(door: FakeDoor) -> None:
    count = len(cpus.possible())
    counts = live(door, MapType.PERCPU_HASH, u32, u32)
    counts[7] = list(range(count))
    assert counts[7] == list(range(count))
    assert counts.value_bytes == 8 * count
    with pytest.raises(ValueError, match="one for each CPU"):
        counts[7] = [1] * (count + 1)


def test_an_array_is_full_of_zeros_and_clearing_makes_it_so(door: FakeDoor) -> None:
    array = live(door, MapType.ARRAY, u32, u64, entries=4)
    array[2] = 9
    assert list(array.values()) == [0, 0, 9, 0]
    assert len(array) == 4
    array.clear()
    assert list(array.values()) == [0, 0, 0, 0]


def test_the_longest_prefix_wins(door: FakeDoor) -> None:
    routes = live(door, MapType.LPM_TRIE, Prefix, u32)
    routes[Prefix(8, [10, 0, 0, 0])] = 1
    routes[Prefix(24, [10, 1, 2, 0])] = 2
    assert routes[Prefix(32, [10, 1, 2, 3])] == 2
    assert routes[Prefix(32, [10, 9, 9, 9])] == 1
    assert Prefix(32, [11, 0, 0, 1]) not in routes


def test_a_full_map_and_flags_that_fail_name_the_map_and_the_errno(door: FakeDoor) -> None:
    small = live(door, MapType.HASH, u32, u32, entries=1)
    small[1] = 1
    with pytest.raises(KernelError, match=r"BPF_MAP_UPDATE_ELEM of m: .*\[E2BIG\]"):
        small[2] = 2
    for key, flags, name in ((1, NOEXIST, "EEXIST"), (2, EXIST, "ENOENT")):
        with pytest.raises(KernelError, match=name):
            small.put(struct.pack("<I", key), bytes(4), flags)
    door.refuse(Command.MAP_UPDATE, errno.EINVAL)
    with pytest.raises(KernelError, match=r"EINVAL") as refused:
        small[2] = 2
    assert "full" not in str(refused.value)


def test_all_entries_of_an_array_are_mapped(door: FakeDoor) -> None:
    pages = live(door, MapType.ARRAY, u32, char[4096], entries=3, flags=1 << 10)
    memory = pages.memory()
    assert len(memory) == 3 * 4096
    memory[2 * 4096 : 2 * 4096 + 4] = b"last"
    assert pages[2] == "last"
    pages.close()


def test_batches_hold_every_entry_once(flows: Map) -> None:
    for port in range(10):
        flows[Key(1, port)] = Value(port, f"n{port}")
    seen: list[tuple[int, int, bytes]] = []
    for keys, values in flows.batches(4):
        assert len(keys) <= 4
        columns = (keys["port"], values["packets"], values["name"])
        seen += zip(*(column.tolist() for column in columns), strict=True)
    assert sorted(seen) == [(port, port, f"n{port}".encode()) for port in range(10)]
    assert len(flows) == 10


def test_batches_that_take_leave_nothing(flows: Map) -> None:
    for port in range(10):
        flows[Key(1, port)] = Value(port)
    taken = [int(v["packets"]) for _, values in flows.batches(3, take=True) for v in values]
    assert sorted(taken) == list(range(10))
    assert len(flows) == 0


def test_batches_of_a_per_cpu_map_have_a_column_for_each_cpu(door: FakeDoor) -> None:
    counts = live(door, MapType.PERCPU_HASH, u32, u32)
    each = list(range(len(cpus.possible())))
    counts[5] = each
    ((keys, values),) = list(counts.batches())
    assert keys.tolist() == [5]
    assert values.tolist() == [each]


def test_where_the_kernel_has_no_batches_entries_come_one_by_one(
    door: FakeDoor, flows: Map
) -> None:
    flows[Key(1, 1)] = Value(5)
    door.refuse(Command.MAP_LOOKUP_BATCH, 524)
    ((keys, values),) = list(flows.batches())
    assert (keys["port"].tolist(), values["packets"].tolist()) == ([1], [5])
    assert list(flows) == [Key(1, 1)]
    door.refuse(Command.MAP_LOOKUP_AND_DELETE_BATCH, 524)
    ((keys, values),) = list(flows.batches(take=True))
    assert (keys["port"].tolist(), values["packets"].tolist()) == ([1], [5])
    assert list(flows) == []


def test_a_bucket_that_does_not_fit_makes_the_arrays_larger(door: FakeDoor, flows: Map) -> None:
    flows[Key(1, 1)] = Value(5)
    door.refuse(Command.MAP_LOOKUP_BATCH, errno.ENOSPC)
    assert len(list(flows.batches(1))) == 1


def test_an_empty_map_gives_no_batch(flows: Map) -> None:
    assert list(flows.batches()) == []


def test_many_entries_are_written_at_once(door: FakeDoor) -> None:
    numbers = live(door, MapType.HASH, u32, u32, entries=4)
    assert numbers.write(struct.pack("<4I", 1, 2, 3, 4), struct.pack("<4I", 5, 6, 7, 8)) == 4
    assert dict(numbers.items()) == {1: 5, 2: 6, 3: 7, 4: 8}
    with pytest.raises(KernelError, match="E2BIG"):
        numbers.write(struct.pack("<I", 9), struct.pack("<I", 9))


def test_mapped_memory_is_the_map_itself_and_void_when_closed(door: FakeDoor) -> None:
    with live(door, MapType.ARRAY, u32, u64, entries=1, flags=1 << 10) as state:
        memory = state.memory()
        memory[:8] = struct.pack("<Q", 77)
        assert state[0] == 77
        state[0] = 78
        assert memory[0] == 78
    with pytest.raises(ValueError, match="released"):
        memory[0]


def test_a_part_of_the_memory_that_somebody_holds_does_not_stop_closing(door: FakeDoor) -> None:
    state = live(door, MapType.ARRAY, u32, u64, entries=1, flags=1 << 10)
    part = state.memory()[:4]
    state.close()
    assert door.of(FakeMap) == []
    part.release()


def test_closing_gives_every_descriptor_back_once(door: FakeDoor) -> None:
    with Map.create(HASH, door=door) as flows:
        assert len(door.open) == 1  # the types are not held
    flows.close()
    assert door.open == {}


def test_a_refused_map_leaves_nothing_open(door: FakeDoor) -> None:
    door.refuse(Command.MAP_CREATE, errno.EINVAL)
    with pytest.raises(KernelError, match="BPF_MAP_CREATE of flows"):
        Map.create(HASH, door=door)
    assert door.open == {}


def test_without_privilege_the_missing_capability_is_named() -> None:
    door = FakeDoor(mask=0)
    door.refuse(Command.MAP_CREATE, errno.EPERM)
    with pytest.raises(Forbidden, match="needs CAP_BPF"):
        Map.create(MapSpec("x", MapType.ARRAY, u32, u32, 1), door=door)


def test_with_every_privilege_a_refusal_is_the_hosts_policy(door: FakeDoor) -> None:
    door.refuse(Command.MAP_CREATE, errno.EPERM)
    with pytest.raises(Unsupported, match="policy of this host"):
        Map.create(MapSpec("x", MapType.RINGBUF, None, None, 4096), door=door)


def test_a_pin_of_the_same_layout_is_the_same_map(door: FakeDoor, flows: Map) -> None:
    flows[Key(1, 1)] = Value(5)
    flows.pin("/pins/flows")
    assert reuse(Map, HASH, "/pins/flows", door=door)[Key(1, 1)] == Value(5)


def test_a_pin_of_another_layout_is_a_conflict_that_says_in_what(
    door: FakeDoor, flows: Map
) -> None:
    flows.pin("/pins/flows")
    before = len(door.open)
    other = MapSpec("flows", MapType.HASH, u64, Value, 50)
    with pytest.raises(Conflict, match="entries 100 instead of 50"):
        reuse(Map, other, "/pins/flows", door=door)
    assert len(door.open) == before


def test_fields_of_a_pin_that_are_others_are_told(door: FakeDoor, flows: Map) -> None:
    flows.pin("/pins/flows")
    other = MapSpec("flows", MapType.HASH, u64, Value, HASH.entries)
    with pytest.raises(Conflict, match=r"\(key is .* instead of u64\)"):
        reuse(Map, other, "/pins/flows", door=door)


def test_a_pin_that_may_not_be_opened_is_told_of_and_not_taken_for_none(door: FakeDoor) -> None:
    door.refuse(Command.OBJ_GET, errno.EACCES)
    with pytest.raises(KernelError, match=r"BPF_OBJ_GET of /pins/flows: .*\[EACCES\]"):
        hold(Map, HASH, "/pins/flows", door=door)
    assert not door.open


@pytest.mark.parametrize("skipped", range(3))
def test_of_a_pin_that_cannot_be_looked_at_nothing_stays_open(
    door: FakeDoor, flows: Map, skipped: int
) -> None:
    flows.pin("/pins/flows")
    before = set(door.open)
    other = MapSpec("flows", MapType.HASH, u64, Value, 50)
    answered, asked = door.bpf, [0]

    def refusing(command: int, attr: bytearray) -> int:
        asked[0] += command == Command.INFO_BY_FD
        if command == Command.INFO_BY_FD and asked[0] > skipped:
            raise OSError(errno.EACCES, "")
        return answered(command, attr)

    door.bpf = refusing  # type: ignore[method-assign]
    with pytest.raises(KernelError, match="EACCES"):
        hold(Map, other, "/pins/flows", lambda key, value: (key, value), door=door)
    assert asked == [skipped + 1]
    assert set(door.open) == before


def test_a_map_that_cannot_be_pinned_is_told_of_and_not_kept(door: FakeDoor) -> None:
    door.refuse(Command.OBJ_PIN, errno.ENOSPC)
    with pytest.raises(KernelError, match="ENOSPC"):
        hold(Map, HASH, "/pins/flows", door=door)
    assert not door.open


def test_a_name_that_is_taken_in_the_bpffs_is_a_conflict(flows: Map) -> None:
    flows.pin("/pins/flows")
    with pytest.raises(Conflict, match="/pins/flows"):
        flows.pin("/pins/flows")


def test_a_frozen_map_takes_no_more_writes(flows: Map) -> None:
    flows.freeze()
    with pytest.raises(Unsupported):
        flows[Key(1, 1)] = Value(1)


def test_a_command_on_something_else_says_so(door: FakeDoor, flows: Map) -> None:
    door.refuse(Command.MAP_LOOKUP, errno.EBADF)
    with pytest.raises(KernelError, match="EBADF"):
        flows.get(Key(1, 1))
