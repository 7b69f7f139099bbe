"""What a program captures, and the key made of it: what changes the code must change the key."""

import linecache
import types
from enum import IntEnum
from typing import Any

import pytest

import skep
from skep.lang.capture import (
    MISSING,
    captured,
    declarations,
    fingerprint,
    plain,
    reached,
    resolve,
)
from skep.lang.maps import Hash, Ring
from skep.lang.struct import Struct
from skep.lang.types import u32, u64
from tests.unit.lang import corpus


def space(source: str, file: str = "captured.py", **names: object) -> dict[str, Any]:
    """The names that a file of this source defines, beside those given."""
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    made = {**corpus.namespace(), **names}
    exec(compile(source, file, "exec"), made)
    return made


def test_a_name_is_that_of_the_closure_the_globals_or_python() -> None:
    def around(inner: int) -> Any:  # noqa: ANN401 - a function with its code
        def f() -> object:
            return inner, len, missing  # type: ignore[name-defined]  # noqa: F821

        return f

    f = around(5)
    assert resolve(f, "inner") == 5
    assert resolve(f, "len") is len
    assert resolve(f, "Struct") is Struct
    assert resolve(f, "missing") is MISSING


def test_what_a_program_reaches_through_modules_and_classes_is_captured() -> None:
    inner = types.ModuleType("inner")
    outer = types.ModuleType("outer")
    setattr(inner, "LIMIT", 7)  # noqa: B010 - a module of the test's own
    setattr(outer, "inner", inner)  # noqa: B010
    made = space(
        "class Config:\n    SIZE = 3\n\n\ndef f():\n    return outer.inner.LIMIT + Config.SIZE\n",
        outer=outer,
    )
    found = dict(captured(made["f"]))
    assert found["outer.inner.LIMIT"] == 7
    assert found["Config.SIZE"] == 3


def test_functions_are_found_once_each_through_others_and_through_decorators() -> None:
    source = "def a():\n    return b() + c()\n\n\ndef b():\n    return c()\n\n\ndef c():\n    return a()\n"
    made = space(source)
    assert [f.__name__ for f, _ in reached(made["a"])] == ["a", "b", "c"]
    program = skep.xdp(made["a"])
    assert [f.__name__ for f, _ in reached(program)] == ["a", "b", "c"]
    assert plain(program) is made["a"]


def test_a_module_and_a_class_that_have_a_function_of_that_name_are_none() -> None:
    module = types.ModuleType("module")
    setattr(module, "function", key)  # noqa: B010 - a module of the test's own

    class Config:
        @staticmethod
        def function() -> None: ...

    assert plain(module) is module
    assert plain(Config) is Config


def test_maps_are_found_through_functions_and_modules_in_the_order_of_the_source() -> None:
    module = types.ModuleType("module")
    deep = Hash(u32, u32, 8)
    setattr(module, "deep", deep)  # noqa: B010 - a module of the test's own
    source = (
        "def f():\n    ring.reserve()\n    g()\n    counts.lookup(1)\n\n\n"
        "def g():\n    module.deep.lookup(1)\n    counts.lookup(1)\n"
    )
    made = space(source, module=module)
    named = declarations(made["f"])
    assert [name for name, _ in named] == ["ring", "ring_state", "counts", "deep"]
    assert named[3][1] is deep
    assert isinstance(named[0][1], Ring)
    assert named[1][1] is named[0][1].state


BASE = "def f(ctx):\n    return helper(LIMIT)\n\n\ndef helper(n):\n    return n\n"


def key(source: str = BASE, file: str = "captured.py", **names: object) -> str:
    return fingerprint(space(source, file, **{"LIMIT": 5, **names})["f"])


def test_equal_programs_have_equal_keys() -> None:
    assert key() == key()


@pytest.mark.parametrize(
    "other",
    [
        {"source": BASE.replace("helper(LIMIT)", "helper(LIMIT) + 1")},
        {"source": BASE.replace("return n", "return n + 1")},
        {"source": "\n" + BASE},
        {"LIMIT": 6},
        {"LIMIT": True},
        {"LIMIT": (5,)},
        {"LIMIT": None},
        {"file": "elsewhere.py"},
    ],
    ids=str,
)
def test_another_source_place_or_constant_gives_another_key(other: dict[str, Any]) -> None:
    assert key(**other) != key()


class First(Struct):
    n: u32


class Second(Struct):
    n: u64


@pytest.mark.parametrize(
    ("use", "one", "two"),
    [
        ("thing.lookup(1)", Hash(u32, u32, 8), Hash(u32, u64, 8)),
        ("thing.lookup(1)", Hash(u32, u32, 8), Hash(u32, u32, 9)),
        ("thing.lookup(1)", Hash(u32, u32, 8), Hash(u32, u32, 8, flags=1)),
        ("thing.lookup(1)", Hash(u32, First, 8), Hash(u32, Second, 8)),
        ("thing.lookup(1)", Hash(u32, u32, 8), skep.LruHash(u32, u32, 8)),
        (
            "thing.lookup(1)",
            skep.ArrayOfMaps(Hash(u32, u32, 8), 2),
            skep.ArrayOfMaps(Hash(u32, u64, 8), 2),
        ),
        ("thing.drain(f)", skep.UserRing(First), skep.UserRing(Second)),
        ("thing.output(f)", skep.PerfBuffer(First), skep.PerfBuffer(Second)),
        ("thing.first", skep.Global(First), skep.Global(First, constant=True)),
        (
            "thing.reserve()",
            Ring(skep.Record),
            Ring(skep.Record, wakeup="none"),
        ),
        ("thing()", First, Second),
        ("thing(1)", u32, u64),
        ("thing()", u32[4], u32[5]),
        ("thing()", skep.ktime_get_ns, skep.ktime_get_boot_ns),
        ("1 in thing", range(5), range(6)),
        ("1 in thing", frozenset({1}), frozenset({2})),
        ("thing.A", IntEnum("Names", "A B"), IntEnum("Names", "B A")),
        ("thing.SIZE", type("C", (), {"SIZE": 1}), type("C", (), {"SIZE": 2})),
        ("thing(1)", skep.kernel_struct("a"), skep.kernel_struct("b")),
    ],
)
def test_whatever_is_captured_is_part_of_the_key(use: str, one: object, two: object) -> None:
    source = f"def f(ctx):\n    return {use}\n"
    assert key(source, thing=one) != key(source, thing=two)


@pytest.mark.parametrize(
    "source", ["def f(n: Width):\n    return n\n", "def f():\n    n: Width = 1\n    return n\n"]
)
def test_a_type_that_only_an_annotation_names_is_part_of_the_key(source: str) -> None:
    assert key(source, Width=u32) != key(source, Width=u64)


def test_the_environment_is_part_of_the_key() -> None:
    made = space(BASE, LIMIT=5)
    assert fingerprint(made["f"], "kernel a") != fingerprint(made["f"], "kernel b")
    assert fingerprint(made["f"], "a", "b") != fingerprint(made["f"], "ab")
