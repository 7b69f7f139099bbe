"""What the compiler produces: specs, which are values. The kernel makes them live; a spec never holds a descriptor.

Equal source, captured constants and kernel types give equal specs, byte for byte.
"""

from enum import Enum, IntEnum
from typing import Any

from skep.base.frozen import frozen


class MapType(IntEnum):
    """``enum bpf_map_type`` of the kernel's bpf.h."""

    HASH = 1
    ARRAY = 2
    PROG_ARRAY = 3
    PERF_EVENT_ARRAY = 4
    PERCPU_HASH = 5
    PERCPU_ARRAY = 6
    STACK_TRACE = 7
    CGROUP_ARRAY = 8
    LRU_HASH = 9
    LRU_PERCPU_HASH = 10
    LPM_TRIE = 11
    ARRAY_OF_MAPS = 12
    HASH_OF_MAPS = 13
    DEVMAP = 14
    SOCKMAP = 15
    CPUMAP = 16
    XSKMAP = 17
    SOCKHASH = 18
    CGROUP_STORAGE = 19
    REUSEPORT_SOCKARRAY = 20
    PERCPU_CGROUP_STORAGE = 21
    QUEUE = 22
    STACK = 23
    SK_STORAGE = 24
    DEVMAP_HASH = 25
    STRUCT_OPS = 26
    RINGBUF = 27
    INODE_STORAGE = 28
    TASK_STORAGE = 29
    BLOOM_FILTER = 30
    USER_RINGBUF = 31
    CGRP_STORAGE = 32
    ARENA = 33

    @property
    def per_cpu(self) -> bool:
        """Whether each possible CPU has a value of its own."""
        return self in (
            *(MapType.PERCPU_HASH, MapType.PERCPU_ARRAY, MapType.LRU_PERCPU_HASH),
            MapType.PERCPU_CGROUP_STORAGE,
        )


@frozen
class MapSpec:
    """A map to be created. ``key`` and ``value`` are types of ``skep.lang`` (None: the map has none); sizes in bytes.

    ``name`` is at most 15 characters of the kernel's alphabet. ``flags`` are the BPF_F_ flags of BPF_MAP_CREATE.
    ``inner`` is the pattern of the maps in a map of maps; ``pin`` the name under which the map outlives its loader;
    ``extra`` the kernel's map_extra (of a bloom filter: how many hashes).
    """

    name: str
    type: MapType
    key: Any
    value: Any
    entries: int
    flags: int = 0
    inner: "MapSpec | None" = None
    pin: str = ""
    extra: int = 0

    @property
    def key_size(self) -> int:
        """Bytes of a key."""
        return int(self.key.size) if self.key is not None else 0

    @property
    def value_size(self) -> int:
        """Bytes of a value, of one CPU where the map is per-CPU."""
        return int(self.value.size) if self.value is not None else 0


class Context(Enum):
    """How a program's parameters get their values."""

    BTF_ARGS = "one trusted or plain argument each, loaded from the context (tp_btf, fentry, lsm)"
    RAW_ARGS = "one argument each, pointers untrusted (raw_tp)"
    REGISTERS = (
        "the arguments of a function, from the registers at its entry or end (kprobe, uprobe)"
    )
    SYSCALL = "the arguments of a system call, from the registers of the process (ksyscall)"
    USDT = "the arguments of a static probe, from where its note says"
    STRUCT = (
        "one parameter: a kernel struct that only the verifier's window shows (xdp_md, __sk_buff)"
    )
    FORMAT = "one parameter: the fields of a tracepoint's format (tracepoint)"
    ITERATOR = "one parameter: struct bpf_iter__NAME of BTF, its pointers may be None"
    SUBSCRIBED = "parameters by name, from the classic tracepoint of a system call"
    SUBSCRIBED_RAW = "the same, from the registers that the hook of all system calls gives"
    OWN = "one parameter: a Struct of the user's, by annotation (syscall)"
    REPLACED = "that of the program that is replaced (freplace)"
    PROGRAM = "what a program that is watched is given, as the kernel's own object (fentry, fexit)"


class Hook(Enum):
    """How a program is attached."""

    RAW_TRACEPOINT = "raw_tracepoint"
    TRACEPOINT = "tracepoint"
    PERF_EVENT = "perf_event"
    ITERATOR = "iterator"
    KPROBE = "kprobe"
    KPROBE_MULTI = "kprobe_multi"
    UPROBE = "uprobe"
    UPROBE_MULTI = "uprobe_multi"
    USDT = "usdt"
    XDP = "xdp"
    TCX = "tcx"
    CGROUP = "cgroup"
    SYSCALL = "syscall"
    SOCKET = "a socket's own filter, by setsockopt(2)"
    SOCKETS = "a map of sockets"
    NETNS = "a network namespace"
    NETFILTER = "netfilter"
    ROUTE = "a route's tunnel state, by netlink"
    STRUCT_OPS = "a table of functions of the kernel's"
    MAP = "beside a value of a map"
    NOWHERE = "run by its loader only"


SLEEPABLE, FRAGS, BOUND = 1 << 4, 1 << 5, 1 << 6
"""BPF_F_SLEEPABLE, BPF_F_XDP_HAS_FRAGS and BPF_F_XDP_DEV_BOUND_ONLY: flags of a program."""


@frozen
class ProgramKind:
    """A row of the table of program kinds: the numbers of bpf.h and the rules of the compiler.

    ``returns`` is the inclusive range that the kernel takes, None where any value goes; ``default`` is what a program
    that ends without ``return`` gives. ``attach_prefix`` goes before the target to name the BTF id (``btf_trace_``).
    ``packet``: ``view`` and ``len`` reach what lies between the fields ``ends``. Of the context's fields, a program
    may set ``writes`` and not see ``hides``; the pointers ``present`` are never None, and what ``changes`` point to
    may be written. ``family`` is the name under which helpers list the kind, ``feature`` its row among the probes,
    ``instead`` what serves where the kernel lacks it. ``flags`` are the program's; ``feeds``: BPF_PROG_TEST_RUN takes
    a packet, though the program has no view of it; ``sealed``: it may not change the packet that it views.
    """

    name: str
    prog_type: int
    attach_type: int
    hook: Hook
    context: Context
    struct: str = ""
    attach_prefix: str = ""
    returns: tuple[int, int] | None = None
    default: int = 0
    packet: bool = False
    since: str = "5.5"
    family: str = ""
    feature: str = ""
    instead: str = ""
    writes: tuple[str, ...] = ()
    hides: tuple[str, ...] = ()
    present: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    ends: tuple[str, str] = ("data", "data_end")
    flags: int = 0
    feeds: bool = False
    sealed: bool = False

    @property
    def sleeps(self) -> bool:
        """Whether its programs may wait, as for user memory that is not there."""
        return bool(self.flags & SLEEPABLE)


@frozen
class MapReference:
    """``insns[insn]`` (two slots) takes the descriptor of map ``index``, or its value's address plus ``offset``."""

    insn: int
    index: int
    offset: int | None = None


@frozen
class TypeReference:
    """``insns[insn]`` (two slots) takes the BTF id that a class of objects has among the program's types."""

    insn: int
    type: Any


@frozen
class KfuncReference:
    """``insns[insn]`` calls the kernel function of that name."""

    insn: int
    name: str


@frozen
class VariableReference:
    """``insns[insn]`` (two slots) takes the kernel's variable of that name."""

    insn: int
    name: str


@frozen
class AddressReference:
    """``insns[insn]`` (two slots) takes the address of what has that name in the kernel, plus ``addend`` bytes.

    Where one of a name is ``tested``, all of that name are 0 in a kernel that has none.
    """

    insn: int
    name: str
    addend: int = 0
    tested: bool = False


@frozen
class ProgramSpec:
    """A compiled program.

    ``insns`` is the entry function at 0, then its subprograms, 8 bytes each. ``btf``, ``func_info`` (records of 8
    bytes) and ``line_info`` (records of 16 bytes) are as BPF_PROG_LOAD takes them; they carry the user's source lines.
    ``target`` is what the hook names (a tracepoint, "category/name", an iterator), "" where it is chosen at attach.
    ``options`` are the hook's own, such as a sampling frequency in Hz. ``calls`` are the system calls that a subscriber
    of them wants. ``maps[next]`` is the program array by which a chained program goes on. ``prints`` are the formats of
    the lines that it prints, as bpf_trace_printk takes them. ``replaces`` is the function, of the program that it is
    loaded onto, in whose place it runs; "" where that is the whole program.
    """

    name: str
    kind: ProgramKind
    target: str
    license: str
    insns: bytes
    references: tuple[MapReference, ...]
    kfuncs: tuple[KfuncReference, ...]
    maps: tuple[MapSpec, ...]
    btf: bytes
    func_info: bytes
    line_info: bytes
    options: tuple[tuple[str, int | str], ...] = ()
    flags: int = 0
    calls: tuple[str, ...] = ()
    next: int | None = None
    prints: tuple[str, ...] = ()
    replaces: str = ""
    types: tuple[TypeReference, ...] = ()
    variables: tuple[VariableReference, ...] = ()
    addresses: tuple[AddressReference, ...] = ()
