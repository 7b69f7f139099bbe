"""Fields of map values that the kernel itself keeps: locks, timers, references, lists and trees of objects.

Programs use their methods only. In memory they are structs of the kernel's, found by their BTF name. Reading a value
gives zeros there; a value that is written over keeps its lock, but its timer rests then, its references are given back,
and the objects in its lists and trees are dropped.
"""

from typing import Any

from skep.lang.objects import NODES, is_head, is_keeper
from skep.lang.spec import MapType
from skep.lang.struct import Field, Struct, StructType
from skep.lang.types import ArrayType, u32, u64


class SpinLock(Struct):
    """A lock in a map's value, ``with value.lock: ...``. A value has one at most. Linux 5.1."""

    btf_name = "bpf_spin_lock"
    val: u32


class ResilientSpinLock(Struct):
    """A lock whose taking may fail, by the kernel's functions ``bpf_res_spin_lock`` and ``_unlock``. Linux 6.15."""

    btf_name = "bpf_res_spin_lock"
    val: u32


class Timer(Struct):
    """A timer in a map's value, ``value.timer.start(ns, callback)``. A value has one at most. Linux 5.15."""

    btf_name = "bpf_timer"
    opaque: u64[2]


class Work(Struct):
    """Work in a map's value, ``value.work.start(function)``, done soon; a value has one at most. Linux 6.10."""

    btf_name = "bpf_wq"
    opaque: u64[2]


class TaskWork(Struct):
    """Work that a task does, ``value.work.start(task, function)``; a value has one at most. Linux 6.18."""

    btf_name = "bpf_task_work"
    opaque: u64


class Reference(Struct):
    """A kernel object that a map's value keeps alive; what the references below have in common."""

    kernel = ""
    acquire = ""
    release = ""
    address: u64


class TaskReference(Reference):
    """A task that a value keeps: ``value.task.set(task)``, ``get()``, ``clear()``. Linux 6.4."""

    kernel, acquire, release = "task_struct", "bpf_task_acquire", "bpf_task_release"


class CgroupReference(Reference):
    """A cgroup that a value keeps, likewise. Linux 6.4."""

    kernel, acquire, release = "cgroup", "bpf_cgroup_acquire", "bpf_cgroup_release"


class CpumaskReference(Reference):
    """A set of CPUs that a value keeps, likewise. Linux 6.3."""

    kernel, acquire, release = "bpf_cpumask", "bpf_cpumask_acquire", "bpf_cpumask_release"


class CryptoReference(Reference):
    """A cipher with its key that a value keeps, likewise. Linux 6.10."""

    kernel, acquire, release = "bpf_crypto_ctx", "bpf_crypto_ctx_acquire", "bpf_crypto_ctx_release"


REFERENCES: tuple[type[Reference], ...] = (
    TaskReference,
    CgroupReference,
    CpumaskReference,
    CryptoReference,
)
SINGLE: tuple[StructType, ...] = (SpinLock, ResilientSpinLock, Timer, Work, TaskWork)
SPECIAL: tuple[StructType, ...] = (*SINGLE, *REFERENCES)
STORAGES = frozenset(
    {MapType.SK_STORAGE, MapType.INODE_STORAGE, MapType.TASK_STORAGE, MapType.CGRP_STORAGE}
)
HOLDERS: dict[StructType, frozenset[MapType]] = {
    **dict.fromkeys(
        (SpinLock, ResilientSpinLock), frozenset({MapType.HASH, MapType.ARRAY}) | STORAGES
    ),
    Timer: frozenset({MapType.HASH, MapType.ARRAY, MapType.LRU_HASH}),
    Work: frozenset({MapType.HASH, MapType.ARRAY, MapType.LRU_HASH}),
    TaskWork: frozenset({MapType.HASH, MapType.ARRAY, MapType.LRU_HASH}),
    **dict.fromkeys(
        REFERENCES, frozenset({MapType.HASH, MapType.ARRAY, MapType.LRU_HASH}) | STORAGES
    ),
}
"""The map types whose values may have each."""
KEEPING = frozenset({MapType.HASH, MapType.ARRAY, MapType.LRU_HASH}) | STORAGES
"""Those whose values may keep objects one by one."""
HEADED = frozenset({MapType.HASH, MapType.ARRAY})
"""Those whose values may have lists and trees."""


def special(value: Any) -> list[Field]:
    """The fields of a value that the kernel keeps."""
    fields = value.fields if isinstance(value, StructType) else ()
    return [
        field
        for field in fields
        if field.type in SPECIAL or is_head(field.type) or is_keeper(field.type)
    ]


def is_locked(value: Any) -> bool:
    """Whether a value holds a lock, under which it is then read and written as a whole."""
    return any(field.type is SpinLock for field in special(value))


def is_timed(value: Any) -> bool:
    """Whether a value holds a timer, or work."""
    return any(field.type in (Timer, Work, TaskWork) for field in special(value))


def check_special(kind: MapType, value: Any) -> None:
    """Refuse locks and timers where the kernel has none. TypeError."""
    found = special(value)
    _check_linked(value)
    if found and _has_bits(value):
        raise TypeError(
            f"{value!r}: the kernel takes no bit fields beside locks, timers and references"
        )
    for field in found:
        word = field.type.__name__
        holders = HOLDERS.get(field.type, KEEPING if is_keeper(field.type) else HEADED)
        if kind not in holders:
            raise TypeError(
                f"{value!r}.{field.name}: {'an' if word[0] == 'O' else 'a'} {word} lies in values of "
                f"{', '.join(sorted(one.name for one in holders))}, not of {kind.name}"
            )
        if field.type in SINGLE and sum(other.type is field.type for other in found) > 1:
            raise TypeError(f"{value!r}.{field.name}: a value has one {word} at most")


def _check_linked(value: Any) -> None:
    """Refuse nodes outside of objects, and lists and trees without a lock. TypeError."""
    for field in value.fields if isinstance(value, StructType) else ():
        word = f"{value!r}.{field.name}"
        if field.type in NODES:
            raise TypeError(f"{word}: a {field.type!r} lies in an object, class Entry(skep.Object)")
        if is_head(field.type) and not is_locked(value):
            raise TypeError(f"{word} is used under a lock; give the value one: lock: skep.SpinLock")


def _has_bits(kind: Any) -> bool:
    """Whether there are bit fields anywhere in a type."""
    if isinstance(kind, ArrayType):
        return _has_bits(kind.element)
    fields = kind.fields if isinstance(kind, StructType) else ()
    return any(field.bits is not None or _has_bits(field.type) for field in fields)


def is_kept(value: Any) -> bool:
    """Whether a value has fields that end when it is written over or deleted: timers, references."""
    locks = (SpinLock, ResilientSpinLock)
    return any(field.type not in locks for field in special(value))
