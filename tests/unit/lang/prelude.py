"""What the programs of the tests find around them: types, maps, rings, constants and functions."""

import enum

from skep import (
    Array,
    Global,
    Hash,
    List,
    ListNode,
    LruHash,
    Object,
    Owned,
    PerCpu,
    PerCpuArray,
    Record,
    RefCount,
    Ring,
    SpinLock,
    StackTraces,
    Struct,
    Tree,
    TreeNode,
    Union,
    VariableRing,
    be16,
    be32,
    bits,
    char,
    kernel_address,
    kernel_enum,
    kernel_struct,
    kernel_variable,
    kfunc,
    s32,
    u8,
    u32,
    u64,
)


class Pair(Struct):
    """Two numbers."""

    first: u32
    second: u32


class Prefix(Struct):
    """A key by prefix."""

    bits: u32
    address: u8[4]


class Wide(Struct):
    """Every kind of member."""

    small: u8
    port: be16
    number: s32
    big: u64
    name: char[16]
    bytes: u8[8]
    pairs: Pair[4]  # type: ignore[type-arg, valid-type]
    inner: Pair


class Flags(Struct):
    """Bit fields."""

    low: u8 = bits(3)
    high: u8 = bits(5)
    wide: u32 = bits(20)
    signed: s32 = bits(6)


class Address(Union):
    """One of two."""

    v4: be32
    v6: u8[16]


class Tight(Struct, packed=True):
    """Numbers that are not aligned."""

    kind: u8
    length: u32


class Eth(Struct):
    """An Ethernet header."""

    dst: u8[6]
    src: u8[6]
    proto: be16


class Entry(Object):
    """What lists and trees link."""

    key: u64
    data: u32[4]
    holders: RefCount
    node: ListNode
    sorted: TreeNode


class Loner(Object):
    """What nothing links."""

    key: u64


class Torn(Object):
    """What may be in two places, and has one holder."""

    node: ListNode
    sorted: TreeNode


class Tally(Object):
    """One for each CPU."""

    runs: u64


class Case(Object):
    """What keeps another object."""

    inner: Owned[Entry]


class Slot(Struct):
    """A value that keeps objects one by one."""

    lock: SpinLock
    entry: Owned[Entry]
    tally: PerCpu[Tally]
    case: Owned[Case]


class Bucket(Struct):
    """A value with a list and a tree."""

    lock: SpinLock
    entries: List[Entry]
    tree: Tree[Entry]
    total: u64


class Note(Record):
    """A record."""

    pid: u32
    comm: char[16]


class Other(Record, size=48):
    """Another record of its ring."""

    amount: u64


class Padded(Record, size=48):
    """A record of the same size."""

    pid: u32


class Color(enum.IntEnum):
    """Numbers with names."""

    RED = 1
    GREEN = 2


FLAGS = Global(Flags)
counts = Hash(u32, u64, 64)
bytes_of = Hash(u32, u8, 64)
ports = LruHash(be32, be16, 64)
pairs = Hash(Pair, Wide, 64)
slots = Array(u32[8], 4)
buckets = Hash(u32, Bucket, 4)
places = Array(Slot, 4)
per_cpu = PerCpuArray(u64, 4)
stacks = StackTraces(16, 64)
STATE = Global(Wide)
ring = Ring(Note)
longer = VariableRing(Note)
rings = Ring(Other, Padded)
task_from_pid, task_release = kfunc("bpf_task_from_pid"), kfunc("bpf_task_release")
attribute = kfunc("bpf_attribute")
stamp, page_of = kfunc("bpf_stamp"), kfunc("bpf_page_of")
tell, scale, unknown = kfunc("bpf_tell"), kfunc("bpf_scale"), kfunc("bpf_task_from_pit")
port_of, counted_by, sums_of = kfunc("bpf_port"), kfunc("bpf_counted_by"), kfunc("bpf_sums")
RUNQUEUES, ACTIVE = kernel_variable("runqueues"), kernel_variable("bpf_prog_active")
MISSPELT, NO_VARIABLE = kernel_variable("runquees"), kernel_variable("no_such_thing")
INIT_TASK, RATIO = kernel_variable("init_task"), kernel_variable("load_ratio")
INIT_ADDRESS = kernel_address("init_task")
queue_of, queue_put = kfunc("veth:bpf_veth_rq"), kfunc("veth:bpf_veth_put")
queue_unnamed, queue_got = kfunc("bpf_veth_rq"), kfunc("veth:bpf_veth_get")
elsewhere = kfunc("nowhere:bpf_thing")
SOCKET, TASK = kernel_struct("sock"), kernel_struct("task_struct")
STATES = kernel_enum("tcp_state")
LIMIT, HALF, HUGE = 10, 0.5, 1 << 64
CHOICES = (2, 3, 5)
EVERY_OTHER = range(0, 10, 2)
ALL = [1, 2, 3]
TYPES, LONG = (u8, u32), tuple(range(65))


def double(value: u32) -> int:
    """A function that programs call."""
    return value * 2


def anything(value):  # type: ignore[no-untyped-def]
    """A function for any argument."""
    return value + 1
