"""Decorators and declarations that are written wrong: what they say."""

from collections.abc import Callable

import pytest

import skep


def function() -> None:
    """What is decorated."""


@pytest.mark.parametrize(
    ("decorator", "right"),
    [
        (skep.tp_btf, r'@tp_btf\("sched_process_exec"\)'),
        (skep.raw_tp, r'@raw_tp\("sched_process_exec"\)'),
        (skep.tracepoint, r'@tracepoint\("syscalls/sys_enter_openat"\)'),
        (skep.iterator, r'@iterator\("task"\)'),
    ],
)
def test_a_decorator_without_a_name_says_how_it_is_written(
    decorator: Callable[..., object], right: str
) -> None:
    with pytest.raises(TypeError, match=right):
        decorator(function)


def test_a_tracepoint_without_its_category_says_how_it_is_named() -> None:
    with pytest.raises(ValueError, match=r"syscalls/sys_enter_openat.*not 'sys_enter_openat'"):
        skep.tracepoint("sys_enter_openat")


@pytest.mark.parametrize(
    ("key", "value", "where"), [(int, skep.u64, "key"), (skep.u32, str, "value")]
)
def test_a_map_refuses_what_has_no_fixed_size(key: object, value: object, where: str) -> None:
    with pytest.raises(TypeError, match=rf"Hash\(\.\.\.\), {where}: .* is not a fixed-size type"):
        skep.Hash(key, value, 8)


def test_a_ring_carries_records_only() -> None:
    with pytest.raises(TypeError, match="classes of records, not u64"):
        skep.Ring(skep.u64)  # type: ignore[arg-type]
