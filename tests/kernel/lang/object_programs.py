"""Programs that allocate objects, and link them into lists."""

import skep
from skep import Array, List, ListNode, Object, SpinLock, Struct, char, u8, u16, u32, u64


class Entry(Object):
    tag: u8
    size: u32
    node: ListNode
    total: u64
    name: char[8]


class Bucket(Struct):
    count: u64
    lock: SpinLock
    entries: List[Entry]


buckets = Array(Bucket, 1)
seen = Array(u64, 8)


@skep.tc("ingress")
def keeps(ctx):
    """The newest at the front."""
    bucket = buckets.lookup(0)
    entry = Entry.new()
    if entry is None:
        return 1
    entry.size = len(ctx)
    entry.total += 3
    entry.tag = 7
    entry.name = "packet"
    if bucket is None:
        entry.drop()
        return 1
    with bucket.lock:
        bucket.count += 1
        bucket.entries.push_front(entry)
        entry.total += 1
    return 2


@skep.tc("ingress")
def takes(ctx):
    """The oldest of them."""
    bucket = buckets.lookup(0)
    if bucket is None:
        return 1
    with bucket.lock:
        entry = bucket.entries.pop_back()
        if entry is not None:
            bucket.count -= 1
    if entry is None:
        return 3
    seen[0] = entry.size
    seen[1] = entry.total
    seen[2] = entry.tag
    seen[3] = 1 if entry.name == "packet" else 0
    entry.drop()
    return 2


@skep.tc("ingress")
def turns(ctx):
    """The first one goes to the end, and all that are there are counted."""
    bucket = buckets.lookup(0)
    if bucket is None:
        return 1
    total = u64(0)
    for _ in range(4):
        with bucket.lock:
            entry = bucket.entries.pop_front()
        if entry is None:
            break
        total += entry.size
        with bucket.lock:
            bucket.entries.push_back(entry)
    seen[4] = total
    return 2


class Job(Object):
    holders: skep.RefCount
    rank: u32
    pad: u64[3]
    number: u32
    by_rank: skep.TreeNode
    in_order: ListNode


class Jobs(Struct):
    lock: SpinLock
    tree: skep.Tree[Job]
    order: List[Job]


jobs = skep.Hash(u32, Jobs, 4)


def earlier(a, b):
    return a.rank < b.rank


@skep.tc("ingress")
def sorts(ctx):
    """Sorted by the packet's length from the largest on: 100 - length."""
    here = jobs.lookup(1)
    job = Job.new()
    if job is None:
        return 1
    if here is None:
        job.drop()
        return 1
    job.rank = 100 - len(ctx)
    job.number = len(ctx)
    with here.lock:
        done = here.tree.add(job, earlier)
        job.pad[1] = 5
    return 2 if done == 0 else 3


@skep.tc("ingress")
def least(ctx):
    """The least one is read, and taken out."""
    here = jobs.lookup(1)
    if here is None:
        return 1
    rank = u32(0)
    with here.lock:
        job = here.tree.first()
        if job is not None:
            rank = job.rank
            job = here.tree.remove(job)
    if job is None:
        return 3
    seen[5] = rank
    seen[6] = job.number + job.pad[1]
    job.drop()
    return 2


@skep.tc("ingress")
def links_twice(ctx):
    """One object in a tree and in a list: a holder for each."""
    here = jobs.lookup(1)
    job = Job.new()
    if job is None:
        return 1
    other = job.acquire()
    if other is None or here is None:
        job.drop()
        if other is not None:
            other.drop()
        return 1
    job.rank = len(ctx)
    with here.lock:
        here.tree.add(job, earlier)
        here.order.push_back(other)
    return 2


@skep.tc("ingress")
def unlinks(ctx):
    here = jobs.lookup(1)
    if here is None:
        return 1
    with here.lock:
        job = here.order.pop_front()
    if job is None:
        return 3
    seen[7] = job.rank
    with here.lock:
        again = here.order.push_front(job)
    return 2 if again == 0 else 4


@skep.tc("ingress")
def sorts_and_keeps(ctx):
    """Two maps with objects of two classes."""
    bucket, here = buckets.lookup(0), jobs.lookup(1)
    if bucket is None or here is None:
        return 1
    with bucket.lock:
        entry = bucket.entries.pop_front()
    with here.lock:
        job = here.order.pop_front()
    if entry is not None:
        entry.drop()
    if job is not None:
        job.drop()
    return 2


def filled(size):
    entry = Entry.new()
    if entry is not None:
        entry.size = size
    return entry


def ends(entry):
    entry.drop()


@skep.global_function
def is_large(size: u32) -> u32:
    return 1 if size > 50 else 0


@skep.tc("ingress")
def passes_on(ctx):
    """Functions that make objects and give them back, and one that the verifier checks by itself."""
    bucket = buckets.lookup(0)
    entry = filled(len(ctx))
    if entry is None:
        return 1
    if bucket is None or is_large(entry.size):
        ends(entry)
        return 2
    with bucket.lock:
        bucket.entries.push_back(entry)
        bucket.count += 1
    seen[0] = 1
    return 2


@skep.tc("ingress")
def drops_twice(ctx):
    entry = filled(1)
    if entry is None:
        return 1
    ends(entry)
    ends(entry)
    return 2


@skep.tc("ingress")
def takes_and_drops_twice(ctx):
    bucket = buckets.lookup(0)
    if bucket is None:
        return 1
    with bucket.lock:
        entry = bucket.entries.pop_front()
    if entry is None:
        return 1
    ends(entry)
    ends(entry)
    return 2


@skep.tc("ingress")
def keeps_under_another_name(ctx):
    entry = Entry.new()
    if entry is None:
        return 1
    other = entry
    other.size = 1
    return 2


@skep.tc("ingress")
def plain(ctx):
    seen[0] = 0
    return 2


class Pair(Struct):
    first: u32
    second: u32


class Rich(Object):
    low: u8 = skep.bits(3)
    high: u8 = skep.bits(5)
    pair: Pair
    node: ListNode
    text: char[300]
    numbers: u16[8]
    other: Pair


class Box(Struct):
    items: List[Rich]
    lock: SpinLock
    sum: u64


boxes = skep.Hash(u32, Box, 8)
by_number = skep.Hash(u32, u64, 8)
by_pair = skep.Hash(Pair, u64, 8)


def together(rich):
    return rich.pair.first + rich.numbers[2]


@skep.tc("ingress")
def fills(ctx):
    """Every kind of field, on either side of the node, also in keys of maps and in loops."""
    box = boxes.lookup(1)
    rich = Rich.new()
    if rich is None:
        return 1
    if box is None:
        rich.drop()
        return 1
    rich.low = 5
    rich.high = 9
    rich.pair = Pair(1, 2)
    rich.other.second = 7
    rich.numbers[2] = 3
    rich.text = "some text"
    by_number.increment(rich.pair.first)
    by_pair[rich.pair] = rich.other.second
    if together(rich) != 4 or rich.text != "some text":
        rich.drop()
        return 3
    for i in range(200):
        rich.pair.second += i
    with box.lock:
        for i in range(3):
            rich.other.first += i
        box.items.push_back(rich)
        box.sum += rich.low + rich.high + rich.other.first
    return 2


@skep.tc("ingress")
def empties(ctx):
    box = boxes.lookup(1)
    if box is None:
        return 1
    total = u64(0)
    while True:
        with box.lock:
            rich = box.items.pop_front()
        if rich is None:
            break
        total += rich.pair.second
        rich.drop()
    return u32(total)


def one_more(key, box):
    rich = Rich.new()
    if rich is None:
        return 1
    with box.lock:
        box.items.push_back(rich)
        box.sum += 1
    return 0


@skep.tc("ingress")
def fills_each(ctx):
    return 2 if boxes.for_each(one_more) == 2 else 3


@skep.tp_btf("sys_enter")
def traces(regs, number):
    here = jobs.lookup(u32(skep.get_current_pid_tgid() >> 32))
    job = Job.new()
    if job is None:
        return
    if here is None:
        job.drop()
        return
    with here.lock:
        here.order.push_back(job)
    seen[7] = 77


@skep.xdp
def makes_one(ctx):
    rich = Rich.new()
    if rich is None:
        return 1
    rich.drop()
    return 2
