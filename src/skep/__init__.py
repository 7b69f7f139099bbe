"""eBPF superpowers for every node, in Python.

``import skep`` offers the developer's face: decorators of programs, types, maps, the kernel's helpers by name, and
``load``. Names are looked up when they are first used, so that importing costs next to nothing.
"""

import importlib

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
    "skep.base.moment": ("wall_time",),
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
    "skep.lang.layout": ("bits",),
    "skep.lang.struct": ("Struct", "Union"),
    "skep.lang.dynptr": ("Dynptr",),
    "skep.lang.declared.queues": ("Queue", "Stack", "Bloom"),
    "skep.lang.declared.nested": ("ArrayOfMaps", "CgroupArray", "HashOfMaps", "ProgArray"),
    "skep.lang.prefixes": ("Prefix4", "Prefix6"),
    "skep.lang.declared.storage": (
        "AttachedStorage",
        "CgroupStorage",
        "InodeStorage",
        "PerCpuAttachedStorage",
        "SocketStorage",
        "TaskStorage",
    ),
    "skep.lang.declared.redirects": (
        "DevMap",
        "DevHash",
        "CpuMap",
        "XskMap",
        "SockMap",
        "SockHash",
        "ReuseportArray",
        "Device",
        "Processor",
    ),
    "skep.lang.declared.streams": ("PerfBuffer", "UserRing", "VariableRing"),
    "skep.lang.keepers": ("Owned", "PerCpu"),
    "skep.lang.objects": ("List", "ListNode", "Object", "RefCount", "Tree", "TreeNode"),
    "skep.lang.special": (
        "CgroupReference",
        "CpumaskReference",
        "CryptoReference",
        "ResilientSpinLock",
        "SpinLock",
        "TaskReference",
        "Timer",
        "TaskWork",
        "Work",
    ),
    "skep.lang.declared.arena": ("Arena",),
    "skep.lang.maps": (
        "Array",
        "Bars",
        "BuildId",
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
    "skep.lang.decorators.tracing": (
        "fentry",
        "fexit",
        "fmod_ret",
        "iterator",
        "lsm",
        "perf_event",
        "raw_tp",
        "syscall_program",
        "tp_btf",
        "tracepoint",
    ),
    "skep.lang.decorators.probes": (
        "kprobe",
        "kprobe_multi",
        "kprobe_session",
        "kretprobe",
        "kretprobe_multi",
        "kretsyscall",
        "ksyscall",
        "uprobe",
        "uprobe_multi",
        "uprobe_session",
        "uretprobe",
        "uretprobe_multi",
        "usdt",
    ),
    "skep.lang.decorators.network": (
        "cgroup",
        "flow_dissector",
        "freplace",
        "lwt",
        "netfilter",
        "netkit",
        "sk_lookup",
        "sk_msg",
        "sk_reuseport",
        "sk_skb",
        "socket_filter",
        "sockops",
        "tc",
        "xdp",
    ),
    "skep.lang.syscall_numbers": ("SYSTEM_CALLS",),
    "skep.lang.syscalls": ("syscall", "syscall_exit"),
    "skep.lang.struct_ops": ("StructOps", "struct_ops"),
    "skep.lang.programs": (
        "Program",
        "global_function",
        "inline",
        "noinline",
    ),
    "skep.lang.plain.kernel": ("FakeKernel", "Task"),
    "skep.lang.plain.packets": ("Packet",),
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
        "kernel_string",
        "ntohl",
        "ntohll",
        "ntohs",
        "offsetof",
        "sizeof",
        "user_string",
    ),
    "skep.lang.kernel_names": ("kernel_enum", "kernel_iterator", "kernel_struct", "kfunc"),
    "skep.lang.kernel_variables": ("kernel_address", "kernel_variable"),
    "skep.lang.library.numbers": ("log2",),
    "skep.lang.forms": ("Address", "Frames", "Hex", "Names", "Symbol", "Words"),
    "skep.events.record": ("Record",),
    "skep.events.shown": ("shown",),
    "skep.kernel.dispatch.owner": ("Dispatcher",),
    "skep.kernel.process_symbols": ("ProcessSymbols",),
    "skep.kernel.symbols": ("Symbols",),
    "skep.program.histogram": ("Histogram",),
    "skep.program.live": ("Live",),
    "skep.program.load": ("load",),
    "skep.program.live_ring": ("LiveRing", "LiveVariableRing"),
    "skep.program.machine": ("Machine",),
    "skep.program.results": ("Result",),
    "skep.program.run": ("run",),
}
_HOME = {name: module for module, names in _PLACES.items() for name in names}
__all__ = list(_HOME)

TYPE_CHECKING = False  # as type checkers take it, without an import of typing
if TYPE_CHECKING:
    from typing import Any

    from skep.base.errors import CompileError as CompileError
    from skep.base.errors import Forbidden as Forbidden
    from skep.base.errors import KernelError as KernelError
    from skep.base.errors import SkepError as SkepError
    from skep.base.errors import Unsupported as Unsupported
    from skep.base.errors import VerifierError as VerifierError
    from skep.base.moment import wall_time as wall_time
    from skep.events.record import Record as Record
    from skep.events.shown import shown as shown
    from skep.kernel.dispatch.owner import Dispatcher as Dispatcher
    from skep.kernel.process_symbols import ProcessSymbols as ProcessSymbols
    from skep.kernel.symbols import Symbols as Symbols
    from skep.lang.declared.arena import Arena as Arena
    from skep.lang.declared.nested import ArrayOfMaps as ArrayOfMaps
    from skep.lang.declared.nested import CgroupArray as CgroupArray
    from skep.lang.declared.nested import HashOfMaps as HashOfMaps
    from skep.lang.declared.nested import ProgArray as ProgArray
    from skep.lang.declared.queues import Bloom as Bloom
    from skep.lang.declared.queues import Queue as Queue
    from skep.lang.declared.queues import Stack as Stack
    from skep.lang.declared.redirects import CpuMap as CpuMap
    from skep.lang.declared.redirects import DevHash as DevHash
    from skep.lang.declared.redirects import Device as Device
    from skep.lang.declared.redirects import DevMap as DevMap
    from skep.lang.declared.redirects import Processor as Processor
    from skep.lang.declared.redirects import ReuseportArray as ReuseportArray
    from skep.lang.declared.redirects import SockHash as SockHash
    from skep.lang.declared.redirects import SockMap as SockMap
    from skep.lang.declared.redirects import XskMap as XskMap
    from skep.lang.declared.storage import AttachedStorage as AttachedStorage
    from skep.lang.declared.storage import CgroupStorage as CgroupStorage
    from skep.lang.declared.storage import InodeStorage as InodeStorage
    from skep.lang.declared.storage import PerCpuAttachedStorage as PerCpuAttachedStorage
    from skep.lang.declared.storage import SocketStorage as SocketStorage
    from skep.lang.declared.storage import TaskStorage as TaskStorage
    from skep.lang.declared.streams import PerfBuffer as PerfBuffer
    from skep.lang.declared.streams import UserRing as UserRing
    from skep.lang.declared.streams import VariableRing as VariableRing
    from skep.lang.decorators.network import cgroup as cgroup
    from skep.lang.decorators.network import flow_dissector as flow_dissector
    from skep.lang.decorators.network import freplace as freplace
    from skep.lang.decorators.network import lwt as lwt
    from skep.lang.decorators.network import netfilter as netfilter
    from skep.lang.decorators.network import netkit as netkit
    from skep.lang.decorators.network import sk_lookup as sk_lookup
    from skep.lang.decorators.network import sk_msg as sk_msg
    from skep.lang.decorators.network import sk_reuseport as sk_reuseport
    from skep.lang.decorators.network import sk_skb as sk_skb
    from skep.lang.decorators.network import socket_filter as socket_filter
    from skep.lang.decorators.network import sockops as sockops
    from skep.lang.decorators.network import tc as tc
    from skep.lang.decorators.network import xdp as xdp
    from skep.lang.decorators.probes import kprobe as kprobe
    from skep.lang.decorators.probes import kprobe_multi as kprobe_multi
    from skep.lang.decorators.probes import kprobe_session as kprobe_session
    from skep.lang.decorators.probes import kretprobe as kretprobe
    from skep.lang.decorators.probes import kretprobe_multi as kretprobe_multi
    from skep.lang.decorators.probes import kretsyscall as kretsyscall
    from skep.lang.decorators.probes import ksyscall as ksyscall
    from skep.lang.decorators.probes import uprobe as uprobe
    from skep.lang.decorators.probes import uprobe_multi as uprobe_multi
    from skep.lang.decorators.probes import uprobe_session as uprobe_session
    from skep.lang.decorators.probes import uretprobe as uretprobe
    from skep.lang.decorators.probes import uretprobe_multi as uretprobe_multi
    from skep.lang.decorators.probes import usdt as usdt
    from skep.lang.decorators.tracing import fentry as fentry
    from skep.lang.decorators.tracing import fexit as fexit
    from skep.lang.decorators.tracing import fmod_ret as fmod_ret
    from skep.lang.decorators.tracing import iterator as iterator
    from skep.lang.decorators.tracing import lsm as lsm
    from skep.lang.decorators.tracing import perf_event as perf_event
    from skep.lang.decorators.tracing import raw_tp as raw_tp
    from skep.lang.decorators.tracing import syscall_program as syscall_program
    from skep.lang.decorators.tracing import tp_btf as tp_btf
    from skep.lang.decorators.tracing import tracepoint as tracepoint
    from skep.lang.dynptr import Dynptr as Dynptr
    from skep.lang.forms import Address as Address
    from skep.lang.forms import Frames as Frames
    from skep.lang.forms import Hex as Hex
    from skep.lang.forms import Names as Names
    from skep.lang.forms import Symbol as Symbol
    from skep.lang.forms import Words as Words
    from skep.lang.intrinsics import atomic_add as atomic_add
    from skep.lang.intrinsics import atomic_and as atomic_and
    from skep.lang.intrinsics import atomic_cmpxchg as atomic_cmpxchg
    from skep.lang.intrinsics import atomic_or as atomic_or
    from skep.lang.intrinsics import atomic_xchg as atomic_xchg
    from skep.lang.intrinsics import atomic_xor as atomic_xor
    from skep.lang.intrinsics import htonl as htonl
    from skep.lang.intrinsics import htonll as htonll
    from skep.lang.intrinsics import htons as htons
    from skep.lang.intrinsics import kernel_string as kernel_string
    from skep.lang.intrinsics import ntohl as ntohl
    from skep.lang.intrinsics import ntohll as ntohll
    from skep.lang.intrinsics import ntohs as ntohs
    from skep.lang.intrinsics import offsetof as offsetof
    from skep.lang.intrinsics import sizeof as sizeof
    from skep.lang.intrinsics import user_string as user_string
    from skep.lang.keepers import Owned as Owned
    from skep.lang.keepers import PerCpu as PerCpu
    from skep.lang.kernel_names import kernel_enum as kernel_enum
    from skep.lang.kernel_names import kernel_iterator as kernel_iterator
    from skep.lang.kernel_names import kernel_struct as kernel_struct
    from skep.lang.kernel_names import kfunc as kfunc
    from skep.lang.kernel_variables import kernel_address as kernel_address
    from skep.lang.kernel_variables import kernel_variable as kernel_variable
    from skep.lang.layout import bits as bits
    from skep.lang.library.numbers import log2 as log2
    from skep.lang.maps import Array as Array
    from skep.lang.maps import Bars as Bars
    from skep.lang.maps import BuildId as BuildId
    from skep.lang.maps import Global as Global
    from skep.lang.maps import Hash as Hash
    from skep.lang.maps import Lpm as Lpm
    from skep.lang.maps import LruHash as LruHash
    from skep.lang.maps import LruPerCpuHash as LruPerCpuHash
    from skep.lang.maps import PerCpuArray as PerCpuArray
    from skep.lang.maps import PerCpuHash as PerCpuHash
    from skep.lang.maps import Ring as Ring
    from skep.lang.maps import StackTraces as StackTraces
    from skep.lang.objects import List as List
    from skep.lang.objects import ListNode as ListNode
    from skep.lang.objects import Object as Object
    from skep.lang.objects import RefCount as RefCount
    from skep.lang.objects import Tree as Tree
    from skep.lang.objects import TreeNode as TreeNode
    from skep.lang.plain.kernel import FakeKernel as FakeKernel
    from skep.lang.plain.kernel import Task as Task
    from skep.lang.plain.packets import Packet as Packet
    from skep.lang.prefixes import Prefix4 as Prefix4
    from skep.lang.prefixes import Prefix6 as Prefix6
    from skep.lang.programs import Program as Program
    from skep.lang.programs import global_function as global_function
    from skep.lang.programs import inline as inline
    from skep.lang.programs import noinline as noinline
    from skep.lang.special import CgroupReference as CgroupReference
    from skep.lang.special import CpumaskReference as CpumaskReference
    from skep.lang.special import CryptoReference as CryptoReference
    from skep.lang.special import ResilientSpinLock as ResilientSpinLock
    from skep.lang.special import SpinLock as SpinLock
    from skep.lang.special import TaskReference as TaskReference
    from skep.lang.special import TaskWork as TaskWork
    from skep.lang.special import Timer as Timer
    from skep.lang.special import Work as Work
    from skep.lang.struct import Struct as Struct
    from skep.lang.struct import Union as Union
    from skep.lang.struct_ops import StructOps as StructOps
    from skep.lang.struct_ops import struct_ops as struct_ops
    from skep.lang.syscall_numbers import SYSTEM_CALLS as SYSTEM_CALLS
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
    from skep.program.histogram import Histogram as Histogram
    from skep.program.live import Live as Live
    from skep.program.live_ring import LiveRing as LiveRing
    from skep.program.live_ring import LiveVariableRing as LiveVariableRing
    from skep.program.load import load as load
    from skep.program.machine import Machine as Machine
    from skep.program.results import Result as Result
    from skep.program.run import run as run


def __getattr__(name: str) -> "Any":  # noqa: ANN401 - a module's names have any type
    home = _HOME.get(name)
    if home is not None:
        return getattr(importlib.import_module(home), name)
    if not name.startswith("_"):
        helpers = importlib.import_module("skep.lang.helpers").HELPERS
        if name in helpers:
            return helpers[name]
    # The text says what may be meant. Python would add the same, found in ``obj``.
    raise AttributeError(_Missing(name), name=name, obj=None)


class _Missing:
    """The text of an error, made where it is read: most who ask for a name only want to know whether it is there."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __str__(self) -> str:
        return f"module 'skep' has no attribute {self.name!r}{_meant(self.name)}"

    def __repr__(self) -> str:
        return repr(str(self))


def _meant(name: str) -> str:
    """Which name may be meant by one that there is not; "" for what only Python itself asks for."""
    if name.startswith("_"):
        return ""
    near = importlib.import_module("skep.base.similar").similar(name, __dir__())
    return f"; did you mean {near!r}?" if near else ""


def __dir__() -> list[str]:
    return sorted([*_HOME, *importlib.import_module("skep.lang.helpers").HELPERS])
