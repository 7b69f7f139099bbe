"""Declarations refuse what no kernel takes, and their specs are as they say."""

from collections.abc import Callable
from typing import Any

import pytest

import skep
from skep import Array, Hash, Struct, u32, u64
from skep.lang.spec import MapType


class Pair(Struct):
    first: u32
    second: u32


class Part(Struct):
    low: u32 = skep.bits(3)


class Mixed(Struct):
    lock: skep.SpinLock
    parts: Part[2]  # type: ignore[type-arg, valid-type] # an array to us, not a generic


class Locked(Struct):
    lock: skep.SpinLock
    n: u64


class Entry(skep.Object):
    n: u64
    node: skep.ListNode


class Bucket(Struct):
    lock: skep.SpinLock
    entries: skep.List[Entry]


class Unlocked(Struct):
    entries: skep.List[Entry]


class Noded(Struct):
    node: skep.ListNode


class Twice(skep.Object):
    first: skep.ListNode
    second: skep.ListNode


class Holding(skep.Object):
    node: skep.ListNode
    timer: skep.Timer


class Lockless(skep.Object):
    node: skep.ListNode
    entries: skep.List[Entry]


class Inner(skep.Object):
    node: skep.ListNode
    lock: skep.SpinLock
    entries: skep.List[Entry]


class Outer(skep.Object):
    node: skep.ListNode
    lock: skep.SpinLock
    inner: skep.List[Inner]


@pytest.mark.parametrize(
    ("declare", "text"),
    [
        (lambda: Hash(u32, Unlocked, 4), "Unlocked.entries is used under a lock"),
        (lambda: Hash(u32, Noded, 4), "Noded.node: a ListNode lies in an object"),
        (
            lambda: Hash(u32, Bucket, 4, pin="x"),
            "Bucket links or keeps objects, .* it is not pinned",
        ),
        (lambda: skep.TaskStorage(Bucket), r"a List\[Entry\] lies in values of ARRAY, HASH"),
        (
            lambda: skep.ArrayOfMaps(Hash(u32, Bucket, 4), 4),
            "no maps whose values link or keep objects",
        ),
        (lambda: skep.List[Pair], r"List\[...\] takes a class of objects"),
        (lambda: skep.Tree[Entry], r"Tree\[Entry\] links Entry by a field; .* skep.TreeNode"),
        (lambda: skep.List[Twice], "Twice: an object has one ListNode at most"),
        (lambda: skep.List[Holding], "Holding.timer: an object has numbers, .* no Timer"),
        (lambda: skep.List[Lockless], "Lockless.entries is used under a lock; give Lockless one"),
        (lambda: skep.List[Outer], "Outer.inner: Outer is linked itself, .* none; Inner does"),
        (Entry.new, r"Entry.new\(\) exists in programs"),
        (lambda: Hash(u32, u32, 0), "at least one entry, not 0"),
        (lambda: Hash(u32, u32, 4, pin="a/b"), "'a/b' cannot name a pin"),
        (lambda: skep.Lpm(u32, u32, 4), "a Struct whose first field is a u32"),
        (lambda: skep.Global(u64), "a Struct with named fields, not u64"),  # type: ignore[arg-type] # refused
        (lambda: skep.Global(Pair, Locked()), "the initial value is a Pair"),
        (lambda: skep.Global(Pair, constant=True, pin="x"), "it is not pinned"),
        (lambda: skep.Global(Locked), "no locks and timers"),
        (lambda: skep.Bloom(u32, 4, hashes=16), "1 to 15 hashes, not 16"),
        (lambda: skep.ArrayOfMaps(skep.Queue(u32, 4), 4), "holds hashes, arrays and LPM tries"),  # type: ignore[arg-type] # refused
        (lambda: skep.ArrayOfMaps(5, 4), "holds hashes, arrays and LPM tries, not 5"),  # type: ignore[arg-type] # refused
        (lambda: skep.PerfBuffer(u32), "carries a Struct, or None: bytes, not u32"),  # type: ignore[arg-type] # refused
        (lambda: skep.PerfBuffer(Pair, pages=3), "a power of two, not 3"),
        (lambda: skep.UserRing(u32), "carries messages of a Struct, not u32"),  # type: ignore[arg-type] # refused
        (lambda: skep.UserRing(Pair, size=5000), "power of two of at least 4096 bytes, not 5000"),
        (lambda: Hash(u32, Mixed, 4), "Mixed: the kernel takes no bit fields beside locks"),
        (lambda: skep.LruHash(u32, Locked, 4), r"Locked.lock: a SpinLock lies in values of ARRAY"),
    ],
)
def test_what_no_kernel_takes_is_refused(declare: Callable[[], object], text: str) -> None:
    with pytest.raises((TypeError, ValueError), match=text):
        declare()


def test_a_map_of_maps_has_the_pattern_of_its_maps() -> None:
    spec = skep.HashOfMaps(Pair, Hash(u32, u64, 8), 4).spec("policies")
    assert (spec.type, spec.key, spec.value, spec.entries) == (MapType.HASH_OF_MAPS, Pair, u32, 4)
    assert spec.inner is not None
    assert (spec.inner.name, spec.inner.type, spec.inner.entries) == (
        "policies_in",
        MapType.HASH,
        8,
    )


def test_a_name_is_cut_to_what_the_kernel_keeps() -> None:
    spec = skep.ArrayOfMaps(Array(u32, 1), 4).spec("a_very_long_name_indeed")
    assert (spec.name, spec.inner and spec.inner.name) == ("a_very_long_nam", "a_very_long__in")


def test_pins_of_a_ring_are_two() -> None:
    class Event(skep.Record):
        n: u64

    ring = skep.Ring(Event, pin="events")
    assert (ring.spec("r").pin, ring.state.spec("s").pin) == ("events", "events_state")
    assert skep.Ring(Event).state.spec("s").pin == ""


def test_storages_have_no_limit_and_bloom_filters_their_hashes() -> None:
    assert skep.TaskStorage(u64).spec("s").entries == 0
    assert skep.Bloom(u64, 4, hashes=3).spec("b").extra == 3


DECLARED: list[tuple[Any, tuple[str, ...]]] = [
    (skep.Queue(u32, 4), ("push", "pop", "peek")),
    (skep.Bloom(u32, 4), ("add", "__contains__")),
    (skep.ProgArray(4), ("call",)),
    (skep.ArrayOfMaps(Array(u32, 1), 4), ("lookup", "__contains__")),
    (skep.TaskStorage(u32), ("lookup", "get", "delete", "__delitem__", "__contains__")),
    (skep.DevMap(4), ("redirect", "__contains__")),
    (skep.SockMap(4), ("redirect", "update", "delete")),
    (skep.ReuseportArray(4), ("select",)),
    (skep.PerfBuffer(Pair), ("output",)),
    (skep.UserRing(Pair), ("drain",)),
]
NEEDS = {"pop": 0, "peek": 0, "call": 2, "select": 2, "redirect": 2, "update": 2}


@pytest.mark.parametrize(
    ("declared", "method"), [(one, name) for one, names in DECLARED for name in names]
)
def test_methods_of_a_declaration_are_for_programs(declared: object, method: str) -> None:
    with pytest.raises(TypeError, match="the live map is live"):
        getattr(declared, method)(*[1] * NEEDS.get(method, 1))
