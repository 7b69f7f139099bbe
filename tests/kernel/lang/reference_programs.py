"""Programs that keep tasks alive in a map."""

import os

import skep
from skep import (
    Array,
    CgroupReference,
    CpumaskReference,
    Hash,
    Struct,
    TaskReference,
    s32,
    u32,
    u64,
)

GETPPID = 110 if os.uname().machine == "x86_64" else 173
GETSID = 124 if os.uname().machine == "x86_64" else 156


class Slot(Struct):
    seen: u64
    task: TaskReference
    cgroup: CgroupReference


mine = Hash(u32, u32, 8)
slots = Array(Slot, 1)
found = Array(s32, 4)


@skep.tp_btf("sys_enter")
def keeps(regs, number):
    if number != GETPPID or u32(skep.get_current_pid_tgid() >> 32) not in mine:
        return
    slot = slots.lookup(0)
    if slot is None:
        return
    slot.seen += 1
    found[0] = slot.task.set(skep.get_current_task_btf())


task_from_pid = skep.kfunc("bpf_task_from_pid")
task_release = skep.kfunc("bpf_task_release")


@skep.tp_btf("sys_enter")
def keeps_by_pid(regs, number):
    pid = u32(skep.get_current_pid_tgid() >> 32)
    slot = slots.lookup(0)
    if number != GETPPID or pid not in mine or slot is None:
        return
    task = task_from_pid(pid)
    if task is not None:
        found[0] = slot.task.set(task) + 5
        task_release(task)


@skep.tp_btf("sys_enter")
def tells(regs, number):
    if number != GETSID or u32(skep.get_current_pid_tgid() >> 32) not in mine:
        return
    slot = slots.lookup(0)
    if slot is None:
        return
    task = slot.task.get()
    found[1] = task.tgid if task is not None else -1
    found[2] = slot.task.clear()
    found[3] = slot.task.clear()


class Cpus(Struct):
    mask: CpumaskReference


make, give_back = skep.kfunc("bpf_cpumask_create"), skep.kfunc("bpf_cpumask_release")
set_cpu, first_cpu = skep.kfunc("bpf_cpumask_set_cpu"), skep.kfunc("bpf_cpumask_first")
kept = Array(Cpus, 1)


@skep.tp_btf("sys_enter")
def keeps_cpus(regs, number):
    """A set of CPUs, which begins as a ``struct cpumask`` does."""
    here = kept.lookup(0)
    if number != GETPPID or u32(skep.get_current_pid_tgid() >> 32) not in mine or here is None:
        return
    made = make()
    if made is None:
        return
    set_cpu(0, made)
    found[0] = here.mask.set(made)
    give_back(made)
    mask = here.mask.get()
    found[1] = s32(first_cpu(mask)) if mask is not None else -1
