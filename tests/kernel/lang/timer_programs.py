"""Programs with timers: entries that do something by themselves."""

import skep
from skep import Hash, Struct, Timer, u32, u64

MS = 1_000_000


class Session(Struct):
    packets: u64
    ticks: u32
    timer: Timer


sessions = Hash(u32, Session, 8)
ended = Hash(u32, u64, 8)


def tick(key, session):
    session.ticks += 1
    if session.ticks < 3:
        session.timer.start(MS, tick_again)
    else:
        ended[key] = session.packets


def tick_again(key, session):
    session.ticks += 10
    if session.ticks < 31:
        session.timer.start(MS)


@skep.tc("ingress")
def begins(ctx):
    key = u32(len(ctx))
    sessions.update(key, Session(packets=5), 1)
    session = sessions.lookup(key)
    if session is None:
        return 10
    session.packets += 1
    if session.timer.start(2 * MS, tick) != 0:
        return 11
    return 2


@skep.tc("ingress")
def rests(ctx):
    session = sessions.lookup(len(ctx))
    if session is None:
        return 10
    if session.timer.start(3600 * 1000 * MS, tick) != 0:
        return 11
    if session.timer.cancel() != 1:
        return 12
    return 2 if session.timer.cancel() == 0 else 13


ABSOLUTE, THIS_CPU = 1, 2
on_cpus = Hash(u32, u32, 8)


def notes_cpu(key, session):
    session.ticks += 1
    on_cpus[session.ticks] = skep.get_smp_processor_id()
    if session.ticks == 1:
        session.timer.start(skep.ktime_get_ns() + MS, ABSOLUTE)


@skep.tc("ingress")
def begins_at(ctx):
    """A timer that runs at a time and on the CPU that sets it, and then at a time again."""
    key = u32(len(ctx))
    sessions.update(key, Session(packets=5), 1)
    session = sessions.lookup(key)
    if session is None:
        return 10
    on_cpus[0] = skep.get_smp_processor_id()
    if session.timer.start(skep.ktime_get_ns() + MS, notes_cpu, ABSOLUTE | THIS_CPU) != 0:
        return 11
    return 2
