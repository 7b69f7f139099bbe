"""eBPF superpowers for every node, in Python.

``import skep`` offers the developer's face: decorators of programs, types, maps, the kernel's helpers by name, and
``load``. Names are looked up when they are first used, so that importing costs next to nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PLACES = {
    "skep.base.errors": (
        "CompileError",
        "Forbidden",
        "KernelError",
        "SkepError",
        "Unsupported",
        "VerifierError",
    ),
    "skep.lang.types": (
        "be16",
        "be32",
        "be64",
        "char",
        "s8",
        "s16",
        "s32",
        "s64",
        "u8",
        "u16",
        "u32",
        "u64",
    ),
    "skep.lang.struct": ("Struct",),
    "skep.lang.maps": (
        "Array",
        "Global",
        "Hash",
        "Lpm",
        "LruHash",
        "LruPerCpuHash",
        "PerCpuArray",
        "PerCpuHash",
        "Ring",
        "StackTraces",
    ),
    "skep.lang.programs": (
        "Program",
        "cgroup",
        "inline",
        "iterator",
        "noinline",
        "perf_event",
        "raw_tp",
        "tc",
        "tp_btf",
        "tracepoint",
        "xdp",
    ),
    "skep.lang.syscalls": ("syscall", "syscall_exit"),
    "skep.lang.plain.kernel": ("FakeKernel", "Packet", "Task"),
    "skep.lang.intrinsics": (
        "atomic_add",
        "atomic_and",
        "atomic_cmpxchg",
        "atomic_or",
        "atomic_xchg",
        "atomic_xor",
        "htonl",
        "htonll",
        "htons",
        "ntohl",
        "ntohll",
        "ntohs",
    ),
    "skep.lang.kernel_names": ("kernel_enum", "kernel_struct"),
    "skep.events.record": ("Record",),
    "skep.kernel.dispatch.owner": ("Dispatcher",),
    "skep.program.live": ("Live", "LiveRing", "load"),
    "skep.program.machine": ("Machine",),
    "skep.program.run": ("Result", "run"),
}
_HOME = {name: module for module, names in _PLACES.items() for name in names}

if TYPE_CHECKING:
    from skep.base.errors import CompileError as CompileError
    from skep.base.errors import Forbidden as Forbidden
    from skep.base.errors import KernelError as KernelError
    from skep.base.errors import SkepError as SkepError
    from skep.base.errors import Unsupported as Unsupported
    from skep.base.errors import VerifierError as VerifierError
    from skep.events.record import Record as Record
    from skep.kernel.dispatch.owner import Dispatcher as Dispatcher
    from skep.lang.intrinsics import atomic_add as atomic_add
    from skep.lang.intrinsics import atomic_and as atomic_and
    from skep.lang.intrinsics import atomic_cmpxchg as atomic_cmpxchg
    from skep.lang.intrinsics import atomic_or as atomic_or
    from skep.lang.intrinsics import atomic_xchg as atomic_xchg
    from skep.lang.intrinsics import atomic_xor as atomic_xor
    from skep.lang.intrinsics import htonl as htonl
    from skep.lang.intrinsics import htonll as htonll
    from skep.lang.intrinsics import htons as htons
    from skep.lang.intrinsics import ntohl as ntohl
    from skep.lang.intrinsics import ntohll as ntohll
    from skep.lang.intrinsics import ntohs as ntohs
    from skep.lang.kernel_names import kernel_enum as kernel_enum
    from skep.lang.kernel_names import kernel_struct as kernel_struct
    from skep.lang.maps import Array as Array
    from skep.lang.maps import Global as Global
    from skep.lang.maps import Hash as Hash
    from skep.lang.maps import Lpm as Lpm
    from skep.lang.maps import LruHash as LruHash
    from skep.lang.maps import LruPerCpuHash as LruPerCpuHash
    from skep.lang.maps import PerCpuArray as PerCpuArray
    from skep.lang.maps import PerCpuHash as PerCpuHash
    from skep.lang.maps import Ring as Ring
    from skep.lang.maps import StackTraces as StackTraces
    from skep.lang.plain.kernel import FakeKernel as FakeKernel
    from skep.lang.plain.kernel import Packet as Packet
    from skep.lang.plain.kernel import Task as Task
    from skep.lang.programs import Program as Program
    from skep.lang.programs import cgroup as cgroup
    from skep.lang.programs import inline as inline
    from skep.lang.programs import iterator as iterator
    from skep.lang.programs import noinline as noinline
    from skep.lang.programs import perf_event as perf_event
    from skep.lang.programs import raw_tp as raw_tp
    from skep.lang.programs import tc as tc
    from skep.lang.programs import tp_btf as tp_btf
    from skep.lang.programs import tracepoint as tracepoint
    from skep.lang.programs import xdp as xdp
    from skep.lang.struct import Struct as Struct
    from skep.lang.syscalls import syscall as syscall
    from skep.lang.syscalls import syscall_exit as syscall_exit
    from skep.lang.types import be16 as be16
    from skep.lang.types import be32 as be32
    from skep.lang.types import be64 as be64
    from skep.lang.types import char as char
    from skep.lang.types import s8 as s8
    from skep.lang.types import s16 as s16
    from skep.lang.types import s32 as s32
    from skep.lang.types import s64 as s64
    from skep.lang.types import u8 as u8
    from skep.lang.types import u16 as u16
    from skep.lang.types import u32 as u32
    from skep.lang.types import u64 as u64
    from skep.program.live import Live as Live
    from skep.program.live import LiveRing as LiveRing
    from skep.program.live import load as load
    from skep.program.machine import Machine as Machine
    from skep.program.run import Result as Result
    from skep.program.run import run as run


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module's names have any type
    home = _HOME.get(name)
    if home is not None:
        return getattr(importlib.import_module(home), name)
    if not name.startswith("_"):
        helpers = importlib.import_module("skep.lang.helpers").HELPERS
        if name in helpers:
            return helpers[name]
    raise AttributeError(f"module 'skep' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*_HOME, *importlib.import_module("skep.lang.helpers").HELPERS])
