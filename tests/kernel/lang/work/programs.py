"""A program that leaves work for later: there, what waits is called."""

import skep
from skep import Hash, Struct, Work, u32, u64

from_pid, release = skep.kfunc("bpf_task_from_pid"), skep.kfunc("bpf_task_release")


class Asked(Struct):
    """Bytes of a process, which are read later."""

    pid: u32
    done: u32
    address: u64
    found: u64
    work: Work


asked = Hash(u32, Asked, 8)


def reads(key, one):
    """What a program of tc may not do: it waits for the memory of a process."""
    task = from_pid(one.pid)
    if task is None:
        return
    number = u64[1]()
    skep.copy_from_user_task(number, one.address, task, 0)
    release(task)
    one.found = number[0]
    one.done = key


def doubles(key, one):
    """What any program may do, later."""
    one.found = one.address * 2
    one.done = key


@skep.tc("ingress")
def leaves_numbers(ctx):
    one = asked.lookup(len(ctx))
    if one is None:
        return 1
    return 2 if one.work.start(doubles) == 0 else 3


@skep.tc("ingress")
def leaves(ctx):
    one = asked.lookup(len(ctx))
    if one is None:
        return 1
    return 2 if one.work.start(reads) == 0 else 3
