"""Pinned maps: reused where the layout is the same, moved to a new one, or refused with what differs."""

from typing import Any

import pytest

from skep.base.errors import Conflict
from skep.kernel import pins
from skep.kernel.maps import Map
from skep.kernel.pinned import hold
from skep.lang.spec import MapSpec, MapType
from skep.lang.struct import Struct
from skep.lang.types import be16, char, u8, u16, u32, u64


class Key(Struct):
    address: u32
    port: be16


class Inner(Struct):
    marks: u8[4]
    name: char[8]


class Old(Struct):
    packets: u32
    inner: Inner


class New(Struct):
    packets: u64
    bytes: u64
    name: char[8]


OLD = MapSpec("flows", MapType.HASH, Key, Old, 100)
NEW = MapSpec("flows", MapType.HASH, Key, New, 200)


def widened(key: Any, old: Any) -> tuple[Any, Any] | None:  # noqa: ANN401 - values of a layout found in the kernel
    return None if old.packets == 0 else (key, New(old.packets, 0, old.inner.name))


@pytest.fixture
def path(bpffs: str) -> str:
    return f"{bpffs}/flows"


def test_a_map_is_made_at_first_and_found_again(path: str) -> None:
    with hold(Map, OLD, path) as flows:
        flows[Key(1, 80)] = Old(5, Inner([1, 2, 3, 4], "eth0"))
    with hold(Map, OLD, path, widened) as again:
        assert dict(again.items()) == {Key(1, 80): Old(5, Inner([1, 2, 3, 4], "eth0"))}


def test_another_layout_is_a_conflict_that_names_every_field(path: str) -> None:
    hold(Map, OLD, path).close()
    with pytest.raises(Conflict) as caught:
        hold(Map, NEW, path)
    assert str(caught.value) == (
        f"the pin {path} of map flows is held by a map of another layout (entries 100 instead of 200, "
        "value.packets is u32 instead of u64, value has a field 'inner' (Inner) too many, "
        "value lacks the field 'bytes' (u64), value lacks the field 'name' (char[8])); "
        "give migrate= to move its entries, or remove the pin"
    )


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (MapSpec("m", MapType.LRU_HASH, u32, u32, 8), "type HASH instead of LRU_HASH"),
        (MapSpec("m", MapType.HASH, u32, u32, 8, 1), "flags 0x0 instead of 0x1"),
        (MapSpec("m", MapType.HASH, u32, u64, 8), "value is u32 instead of u64"),
        (MapSpec("m", MapType.HASH, u16, u32, 8), "key is u32 instead of u16"),
        (MapSpec("m", MapType.HASH, Key, u32, 8), "key is u32 instead of Key"),
    ],
)
def test_type_flags_key_and_value_are_compared(path: str, spec: MapSpec, text: str) -> None:
    hold(Map, MapSpec("m", MapType.HASH, u32, u32, 8), path).close()
    with pytest.raises(Conflict, match=text):
        hold(Map, spec, path)


def test_entries_move_to_the_new_layout_while_the_old_map_is_there(path: str) -> None:
    with hold(Map, OLD, path) as old:
        old.update({Key(n, 80): Old(n, Inner(name=f"n{n}")) for n in range(50)})
        with hold(Map, NEW, path, widened) as new:
            assert dict(new.items()) == {Key(n, 80): New(n, 0, f"n{n}") for n in range(1, 50)}
            assert len(old) == 50
        with hold(Map, NEW, path) as again:
            assert len(again) == 49


@pytest.mark.parametrize("wrong", [lambda key, _: (key, 5), lambda *_: 1 // 0])
def test_a_migration_that_fails_leaves_the_old_map_where_it_is(path: str, wrong: Any) -> None:  # noqa: ANN401 - two functions
    with hold(Map, OLD, path) as old:
        old[Key(1, 1)] = Old(1)
    with pytest.raises((TypeError, ZeroDivisionError)):
        hold(Map, NEW, path, wrong)
    with hold(Map, OLD, path) as old:
        assert dict(old.items()) == {Key(1, 1): Old(1)}
    assert "flows-next" not in pins.Pins(path.rpartition("/")[0]).names()


def test_a_larger_map_takes_the_entries_as_they_are(path: str) -> None:
    larger = MapSpec("flows", MapType.HASH, Key, Old, 200)
    with hold(Map, OLD, path) as old:
        old[Key(1, 1)] = Old(0, Inner([1, 2, 3, 4]))
    with pytest.raises(Conflict, match="entries 100 instead of 200"):
        hold(Map, larger, path)
    with hold(Map, larger, path, widened) as new:
        assert dict(new.items()) == {Key(1, 1): Old(0, Inner([1, 2, 3, 4]))}


def test_what_a_killed_migration_left_is_no_hindrance(path: str) -> None:
    hold(Map, OLD, path).close()
    hold(Map, OLD, f"{path}-next").close()
    with hold(Map, NEW, path, widened) as new:
        assert new.info().value_size == New.size
    assert "flows-next" not in pins.Pins(path.rpartition("/")[0]).names()


def test_a_map_whose_types_the_kernel_does_not_know_cannot_be_moved(path: str) -> None:
    with Map.create(MapSpec("s", MapType.QUEUE, None, u32, 8)) as queue:
        queue.pin(path)
    with pytest.raises(Conflict, match="the kernel does not know its types: remove the pin"):
        hold(Map, OLD, path, widened)
