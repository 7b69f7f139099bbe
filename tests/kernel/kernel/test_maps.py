"""Maps of the running kernel: values, batches, memory, pins, and what the kernel says of them."""

import os
import struct
from typing import Any

import pytest

from skep.base.errors import Conflict, KernelError
from skep.kernel import commands, cpus, stats
from skep.kernel.bpf import DOOR
from skep.kernel.elements import NOEXIST
from skep.kernel.maps import Map
from skep.kernel.pinned import different, reuse
from skep.lang.spec import MapSpec, MapType
from skep.lang.struct import Struct
from skep.lang.types import be16, char, u8, u32, u64

MMAPABLE, NO_PREALLOC = 1 << 10, 1


class Key(Struct):
    address: u32
    port: be16


class Value(Struct):
    packets: u64
    name: char[6]


class Prefix(Struct):
    length: u32
    address: u8[4]


def make(kind: MapType, key: Any, value: Any, entries: int = 100, flags: int = 0) -> Map:  # noqa: ANN401
    return Map.create(MapSpec("skep_probe", kind, key, value, entries, flags))


@pytest.mark.parametrize("kind", [MapType.HASH, MapType.LRU_HASH])
def test_a_hash_is_a_dict(kind: MapType) -> None:
    with make(kind, Key, Value) as flows:
        flows[Key(1, 443)] = Value(5, "eth0")
        flows[Key(2, 80)] = Value(6, "lo")
        assert flows[Key(1, 443)] == Value(5, "eth0")
        assert dict(flows.items()) == {Key(1, 443): Value(5, "eth0"), Key(2, 80): Value(6, "lo")}
        del flows[Key(1, 443)]
        assert Key(1, 443) not in flows
        assert len(flows) == 1
        flows[Key(3, 22)] = Value(7, "lo")
        assert sorted(flows.drain(), key=lambda one: one[1].packets) == [
            (Key(2, 80), Value(6, "lo")),
            (Key(3, 22), Value(7, "lo")),
        ]
        assert list(flows) == flows.drain() == []
        flows[Key(1, 443)] = Value(5, "eth0")
        flows.clear()
        assert list(flows) == []
        with pytest.raises(KeyError):
            del flows[Key(1, 443)]


@pytest.mark.parametrize(
    "kind", [MapType.PERCPU_HASH, MapType.LRU_PERCPU_HASH, MapType.PERCPU_ARRAY]
)
def test_a_per_cpu_map_keeps_a_value_for_each_possible_cpu(kind: MapType) -> None:
    each = [10 + cpu for cpu in cpus.possible()]
    with make(kind, u32, u32) as counts:
        counts[7] = each
        assert counts[7] == each
        ((keys, values),) = [(k, v) for k, v in counts.batches() if 7 in k.tolist()]
        assert values[keys.tolist().index(7)].tolist() == each


def test_the_longest_prefix_wins() -> None:
    with make(MapType.LPM_TRIE, Prefix, u32, 10, NO_PREALLOC) as routes:
        routes[Prefix(8, [10, 0, 0, 0])] = 1
        routes[Prefix(24, [10, 1, 2, 0])] = 2
        assert routes[Prefix(32, [10, 1, 2, 3])] == 2
        assert routes[Prefix(32, [10, 9, 9, 9])] == 1
        assert Prefix(32, [11, 0, 0, 1]) not in routes
        assert sum(len(keys) for keys, _ in routes.batches()) == 2


@pytest.mark.parametrize("take", [False, True])
@pytest.mark.parametrize("size", [1, 7, 4096])
def test_batches_hold_every_entry_once(size: int, take: bool) -> None:  # noqa: FBT001 - two cases
    with make(MapType.HASH, Key, Value, 1000) as flows:
        for port in range(500):
            flows[Key(1, port)] = Value(port, f"n{port}")
        seen: list[tuple[int, int, bytes]] = []
        for keys, values in flows.batches(size, take=take):
            columns = (keys["port"], values["packets"], values["name"])
            seen += zip(*(column.tolist() for column in columns), strict=True)
        assert sorted(seen) == [(port, port, f"n{port}".encode()) for port in range(500)]
        assert len(flows) == (0 if take else 500)


def test_an_array_is_read_in_batches_too() -> None:
    with make(MapType.ARRAY, u32, u64, 10) as array:
        array[3] = 9
        ((keys, values),) = list(array.batches())
        assert keys.tolist() == list(range(10))
        assert values.tolist() == [0, 0, 0, 9, 0, 0, 0, 0, 0, 0]


def test_many_entries_are_written_at_once_and_a_full_map_says_so() -> None:
    with make(MapType.HASH, u32, u32, 4) as numbers:
        assert numbers.write(struct.pack("<4I", 1, 2, 3, 4), struct.pack("<4I", 5, 6, 7, 8)) == 4
        assert dict(numbers.items()) == {1: 5, 2: 6, 3: 7, 4: 8}
        with pytest.raises(KernelError, match="E2BIG"):
            numbers.write(struct.pack("<I", 9), struct.pack("<I", 9))
        with pytest.raises(KernelError, match="EEXIST"):
            numbers.put(struct.pack("<I", 1), bytes(4), NOEXIST)


def test_taking_reads_and_deletes_at_once() -> None:
    with make(MapType.HASH, u32, u32) as numbers:
        numbers[1] = 5
        assert numbers.take(struct.pack("<I", 1)) == struct.pack("<I", 5)
        assert 1 not in numbers


def test_mapped_memory_is_the_map_itself() -> None:
    with make(MapType.ARRAY, u32, u64, 1, MMAPABLE) as state:
        memory = state.memory()
        memory[:8] = struct.pack("<Q", 77)
        assert state[0] == 77
        state[0] = 78
        assert memory[0] == 78


def test_an_array_that_is_not_mapped_says_so() -> None:
    with (
        make(MapType.ARRAY, u32, u64, 1) as state,
        pytest.raises(KernelError, match="mmap of skep_probe"),
    ):
        state.memory()


def test_the_kernel_knows_name_sizes_types_and_memory() -> None:
    with make(MapType.HASH, Key, Value, 50) as flows:
        info = flows.info()
        assert (info.name, info.key_size, info.value_size, info.entries) == (
            "skep_probe",
            8,
            16,
            50,
        )
        assert different(flows.fd, flows.spec, DOOR) == ()
        btf_id = struct.unpack_from("<III", commands.info(DOOR, flows.fd, 88), 64)
        assert all(btf_id)  # the object and both types
        assert stats.footprint(flows.fd).memory > 50 * 24


def test_a_frozen_map_is_written_by_nobody_outside() -> None:
    with make(MapType.ARRAY, u32, u64, 1) as state:
        state[0] = 5
        state.freeze()
        assert state[0] == 5
        with pytest.raises(Exception, match="BPF_MAP_UPDATE_ELEM"):
            state[0] = 6


def test_a_pin_is_the_same_map_and_one_of_another_layout_a_conflict(bpffs: str) -> None:
    path = f"{bpffs}/skep_probe_map"
    with make(MapType.HASH, u32, u32, 5) as numbers:
        numbers.pin(path)
        try:
            numbers[1] = 2
            with reuse(Map, numbers.spec, path) as again:
                assert again[1] == 2
            with pytest.raises(Conflict, match="entries 5 instead of 6"):
                reuse(Map, MapSpec("skep_probe", MapType.HASH, u32, u32, 6), path)
            with pytest.raises(Conflict):
                numbers.pin(path)
        finally:
            os.unlink(path)
