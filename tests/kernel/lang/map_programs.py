"""Programs over every type of map that a run on a packet can use; each says 2 where all is as it should be."""

import skep
from skep import (
    Array,
    ArrayOfMaps,
    Bloom,
    Global,
    Hash,
    HashOfMaps,
    Lpm,
    PerCpuArray,
    PerCpuHash,
    Prefix4,
    ProgArray,
    Queue,
    Stack,
    Struct,
    char,
    s32,
    s64,
    u8,
    u16,
    u32,
    u64,
)

PASS, DROP, TX = 2, 1, 3


class Job(Struct):
    number: u32
    weight: u16


todo = Queue(Job, 2)
last = Stack(u64, 3)
known = Bloom(u64, 100, hashes=3)


@skep.tc("ingress")
def queues(ctx):
    if todo.pop() is not None or todo.peek() is not None:
        return 10
    if todo.push(Job(1, 5)) != 0 or todo.push(Job(2, 6)) != 0:
        return 11
    if todo.push(Job(3, 7)) != -7 or todo.push(Job(3, 7), 2) != 0:
        return 12
    first = todo.peek()
    second = todo.pop()
    if first is None or second is None or first.number != 2 or second.weight != 6:
        return 13
    second.weight += 1
    if second.weight != 7:
        return 14
    third = todo.pop()
    fourth = todo.pop()
    if third is None or fourth is not None:
        return 15
    todo.push(third)
    rounds = 0
    while True:
        job = todo.pop()
        if job is None:
            break
        rounds += job.number
    if rounds != 3:
        return 16
    todo.push(third)
    return PASS


@skep.tc("ingress")
def stacks(ctx):
    for i in range(3):
        last.push(u64(i + 5))
    top = last.pop()
    if top is None:
        return 10
    total = u64(top)
    under = last.peek()
    if under:
        total = total * 100 + under
    return PASS if total == 706 else 11


@skep.tc("ingress")
def blooms(ctx):
    key = u64(len(ctx))
    if key in known:
        return 10
    if known.add(key) != 0:
        return 11
    return PASS if key in known and key + 1 not in known else 12


steps = ProgArray(4)
path = Array(u32, 1)


@skep.tc("ingress")
def begins(ctx):
    path.increment(0, 1)
    steps.call(ctx, 9)
    steps.call(ctx, 1)
    return 10


@skep.tc("ingress")
def goes_on(ctx):
    path.increment(0, 10)
    more(ctx, 2)
    return 11


def more(ctx, index: u32):
    steps.call(ctx, index)
    return 0


@skep.tc("ingress")
def ends(ctx):
    path.increment(0, 100)
    steps.call(ctx, 3)
    return PASS


@skep.tc("ingress")
def forever(ctx):
    path.increment(0, 1)
    steps.call(ctx, 0)
    return TX


class Wide(Struct):
    numbers: u64[24]


@skep.global_function
def asked(ctx, index: u32) -> u32:
    """What the program under an index gives, or 40 where there is none."""
    path.increment(0, 1000)
    steps.call(ctx, index)
    path.increment(0, 10_000)
    return 40


@skep.global_function
def told(ctx, index: u32):
    steps.call(ctx, index)


@skep.tc("ingress")
def asks(ctx):
    """It goes on behind each call, with memory of its own and a record that it holds."""
    wide = Wide()
    wide.numbers[len(ctx) & 7] = 5
    given = asked(ctx, 1)
    told(ctx, 2)
    for index in range(8, 11):
        given += asked(ctx, u32(index))
    return s32(given) + s32(wide.numbers[20 & 7]) * 1000


@skep.xdp
def other_kind(ctx):
    return PASS


per_pod = Hash(u32, u64, 16)
pods = HashOfMaps(u16, per_pod, 8)
pages = ArrayOfMaps(Array(u32, 4), 3)


@skep.tc("ingress")
def nested(ctx):
    pod = pods.lookup(7)
    if pod is None or pods.lookup(8) is not None:
        return 10
    if 7 not in pods or 8 in pods:
        return 11
    count = pod.lookup(1)
    if count is None or count != 5:
        return 12
    count += 1
    pod[2] = 9
    pod.increment(3, 4)
    pod.increment(1)
    if 2 not in pod or 4 in pod:
        return 13
    del pod[2]
    if pod.delete(2) == 0:
        return 14
    page = pages.lookup(1)
    if page is None:
        return 15
    cell = page.lookup(3)
    if cell is None:
        return 16
    cell += 40
    return PASS if pages.lookup(2) is None else 17


class Inner(Struct):
    small: u8
    name: char[8]
    many: u16[3]


class Settings(Struct):
    limit: u32
    on: u8
    inner: Inner


class State(Struct):
    hits: u64
    under: s64
    inner: Inner


settings = Global(Settings, Settings(limit=3, on=1), constant=True)
state = Global(State, State(hits=40, inner=Inner(name="begin", many=[1, 2, 3])))
each = PerCpuArray(u32, 2)


@skep.tc("ingress")
def variables(ctx):
    if settings.on == 0:
        return DROP
    state.hits += settings.limit
    state.under -= 1
    state.inner.many[1] += 5
    state.inner.small = settings.inner.small
    if state.inner.name[0] != 98:
        return 10
    each.increment(1)
    return PASS


by_size = PerCpuHash(u32, u64, 4)


@skep.tc("ingress")
def over_cpus(ctx):
    by_size.increment(1, len(ctx))
    total: u64 = 0
    for cpu in range(u32(64)):
        value = by_size.lookup(1, cpu)
        if value is not None:
            total += value
    return 2 if total == 120 and by_size.lookup(2, 0) is None else 1


routes = Lpm(Prefix4, u32, 16)


@skep.tc("ingress")
def prefixes(ctx):
    near = routes.lookup(Prefix4(32, 0x0A010203))
    far = routes.lookup(Prefix4(32, 0x0A020203))
    if near is None or far is None or routes.lookup(Prefix4(32, 0x0B000001)) is not None:
        return 10
    return PASS if near == 2 and far == 1 else 11


class Found(Struct):
    """What a walk over entries has come to."""

    most: u64
    seen: u32
    at: u32


scores = Hash(u32, u64, 1024)


def notes(value, found):
    found.most = max(found.most, value)


def compares(key, value, found):
    notes(value, found)
    found.seen += 1
    if found.seen > 500:
        return 1
    if value == found.most:
        found.at = key
    return 0


@skep.tc("ingress")
def walks_with_memory(ctx):
    """What a function finds lies on the stack of each run, where no other run sees it."""
    found = Found(seen=1)
    for key in range(u32(len(ctx))):
        scores[key] = (key * 7) % 61
    called = scores.for_each(compares, found)
    return s32(found.most) * 1_000_000 + s32(found.seen) * 1000 + called


def takes_away(key, value, total):
    total[0] -= value
    return total[0] < 1000


@skep.tc("ingress")
def sums_with_memory(ctx):
    """A number that is set, and changed from call to call."""
    total = u64[1]()
    total[0] = 1 << 20
    for key in range(u32(len(ctx))):
        scores[key] = key
    scores.for_each(takes_away, total)
    return s32(total[0])
