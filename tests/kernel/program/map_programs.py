"""Two versions of a program over a pinned map, as before and after an upgrade."""

import skep
from skep import Global, Hash, Queue, Record, Ring, Struct, u32, u64


class Before(Struct):
    packets: u32


class After(Struct):
    packets: u64
    bytes: u64


def widened(key, old):
    return key, After(old.packets, 0)


seen = Hash(u32, Before, 8, pin="seen")
seen_after = Hash(u32, After, 16, pin="seen", migrate=widened)
seen_wrongly = Hash(u32, After, 16, pin="seen")
todo = Queue(u32, 4, pin="todo")


class Settings(Struct):
    """What is set once, and then changed."""

    limit: u32
    hits: u64


settings = Global(Settings, Settings(limit=3), pin="settings")


@skep.tc("ingress")
def counts(ctx):
    settings.hits += settings.limit
    return 0


class Tick(Record):
    n: u64


ticks = Ring(Tick, size=4096, pin="ticks")


@skep.tc("ingress")
def first(ctx):
    entry = seen.lookup(1)
    if entry is None:
        seen[1] = Before(packets=1)
        return 0
    entry.packets += 1
    todo.push(entry.packets)
    tick = ticks.reserve()
    if tick is not None:
        tick.n = entry.packets
        tick.submit()
    return 0


@skep.tc("ingress")
def second(ctx):
    entry = seen_after.lookup(1)
    if entry is None:
        return 1
    entry.packets += 1
    return 0


@skep.tc("ingress")
def wrong(ctx):
    return 0 if seen_wrongly.lookup(1) is None else 1
