"""Locks, timers and references in every type of map that may hold them, and maps that forget."""

import os

import skep
from skep import (
    Array,
    CgroupStorage,
    Hash,
    LruHash,
    LruPerCpuHash,
    SocketStorage,
    SpinLock,
    Struct,
    TaskReference,
    TaskStorage,
    Timer,
    u32,
    u64,
)

GETPPID = 110 if os.uname().machine == "x86_64" else 173
ENTRIES, MANY = 4, 400
MS = 1_000_000


class Counted(Struct):
    lock: SpinLock
    times: u32
    total: u64


class Timed(Struct):
    timer: Timer
    ticks: u64


class Kept(Struct):
    task: TaskReference
    seen: u64


mine = Hash(u32, u32, 8)
by_task = TaskStorage(Counted)
by_cgroup = CgroupStorage(Counted)
by_socket = SocketStorage(Counted)
timed_array, timed_recent = Array(Timed, 2), LruHash(u32, Timed, 8)
kept_hash, kept_recent, kept_by_task = Hash(u32, Kept, 8), LruHash(u32, Kept, 8), TaskStorage(Kept)
pids = Array(u32, 4)
recent, recent_by_cpu = LruHash(u32, u64, ENTRIES), LruPerCpuHash(u32, u64, ENTRIES)


@skep.inline
def is_asked(number):
    """Whether a process of a test's own makes the call that is watched."""
    return number == GETPPID and u32(skep.get_current_pid_tgid() >> 32) in mine


@skep.inline
def add(counted, amount: u64):
    with counted.lock:
        counted.times += 1
        counted.total += amount


@skep.tp_btf("sys_enter")
def counts_by_task(regs, number):
    if not is_asked(number):
        return
    here = by_task.get(skep.get_current_task_btf())
    if here is not None:
        add(here, 5)


@skep.tp_btf("sys_enter")
def counts_by_cgroup(regs, number):
    if not is_asked(number):
        return
    here = by_cgroup.get(skep.get_current_task_btf().cgroups.dfl_cgrp)
    if here is not None:
        add(here, 6)


@skep.cgroup("skb_egress")
def counts_by_socket(ctx):
    sk = ctx.sk
    if sk is None:
        return 1
    whole = skep.sk_fullsock(sk)
    if whole is None:
        return 1
    here = by_socket.get(whole)
    if here is not None:
        add(here, 7)
    return 1


def tick(key, timed):
    timed.ticks += 10


@skep.tc("ingress")
def starts(ctx):
    one = timed_array.lookup(1)
    timed_recent.update(7, Timed(), 1)
    two = timed_recent.lookup(7)
    if one is None or two is None:
        return 1
    return 2 if one.timer.start(MS, tick) == 0 and two.timer.start(MS, tick) == 0 else 3


@skep.tp_btf("sys_enter")
def keeps(regs, number):
    if not is_asked(number):
        return
    task = skep.get_current_task_btf()
    one, two = kept_hash.setdefault(1), kept_recent.setdefault(1)
    three = kept_by_task.get(task)
    if one is None or two is None or three is None:
        return
    one.task.set(task)
    two.task.set(task)
    three.task.set(task)
    first, second, third = one.task.get(), two.task.get(), three.task.get()
    if first is not None:
        pids[1] = first.tgid
    if second is not None:
        pids[2] = second.tgid
    if third is not None:
        pids[3] = third.tgid
    one.task.clear()
    two.task.clear()
    three.task.clear()


@skep.tc("ingress")
def fills(ctx):
    """More than there is room for: nothing is refused, and what was last is there."""
    for number in range(MANY):
        if recent.increment(number) != 0 or recent_by_cpu.increment(number) != 0:
            return 1
    return 2 if MANY - 1 in recent and MANY - 1 in recent_by_cpu else 3
