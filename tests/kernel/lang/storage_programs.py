"""Programs that keep values with tasks, sockets, inodes and cgroups."""

import os

import skep
from skep import (
    CgroupArray,
    CgroupStorage,
    Hash,
    InodeStorage,
    SocketStorage,
    Struct,
    TaskStorage,
    s32,
    u32,
    u64,
)

GETPPID = 110 if os.uname().machine == "x86_64" else 173
SYN_SENT = 2


class Visit(Struct):
    count: u64
    first: u32


mine = Hash(u32, u32, 8)
visits = TaskStorage(Visit)
by_cgroup = CgroupStorage(u64)
sockets = SocketStorage(Visit)
inodes = InodeStorage(u32)


@skep.tp_btf("sys_enter")
def on_call(regs, number):
    if number != GETPPID or u32(skep.get_current_pid_tgid() >> 32) not in mine:
        return
    task = skep.get_current_task_btf()
    if task not in visits:
        visits.get(task, Visit(count=100, first=task.tgid))
    visit = visits.lookup(task)
    if visit is None:
        return
    visit.count += 1
    if visit.count == 105:
        del visits[task]


@skep.tp_btf("sys_enter")
def on_call_by_cgroup(regs, number):
    if number != GETPPID or u32(skep.get_current_pid_tgid() >> 32) not in mine:
        return
    task = skep.get_current_task_btf()
    count = by_cgroup.get(task.cgroups.dfl_cgrp)
    if count is not None:
        count += 1


@skep.tp_btf("inet_sock_set_state")
def on_state(sk, oldstate, newstate):
    if newstate != SYN_SENT or u32(skep.get_current_pid_tgid() >> 32) not in mine:
        return
    visit = sockets.get(sk)
    if visit is not None:
        visit.count += 7


@skep.lsm("file_open")
def on_open(file):
    if u32(skep.get_current_pid_tgid() >> 32) in mine:
        count = inodes.get(file.f_inode)
        if count is not None:
            count += 1
    return 0


places = CgroupArray(2)
inside = Hash(u32, s32, 16)


@skep.tp_btf("sys_enter")
def on_call_within(regs, number):
    if number == GETPPID:
        found = places.holds_current(1)
        if found > 0:
            inside[u32(skep.get_current_pid_tgid() >> 32)] = found + places.holds_current(0)


class Sent(Struct):
    """Of a cgroup to which a program is attached."""

    packets: u64
    bytes: u64


sent = skep.AttachedStorage(Sent)
sent_here = skep.PerCpuAttachedStorage(u64)
looked = skep.AttachedStorage(u32)


@skep.cgroup("skb_egress")
def counts_sent(ctx):
    mine, here = sent.get(), sent_here.get()
    mine.packets += 1
    mine.bytes += len(ctx)
    here += 1
    return 1


@skep.cgroup("sock_create")
def counts_sockets(ctx):
    number = looked.get()
    number += 1
    return 1
