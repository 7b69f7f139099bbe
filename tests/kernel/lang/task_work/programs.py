"""A sample of a process leaves work to it: there, its memory is read though it was swapped out."""

import skep
from skep import Hash, Struct, TaskWork, u32, u64


class Wanted(Struct):
    """A number of a process, which it reads itself."""

    done: u32
    by: u32
    address: u64
    found: u64
    work: TaskWork


wanted = Hash(u32, Wanted, 8)


def reads(key, one):
    """What no program of a sample may do: it waits for memory."""
    number = u64[1]()
    if skep.copy_from_user(number, one.address) == 0:
        one.found = number[0]
    one.by = u32(skep.get_current_pid_tgid() >> 32)
    one.done += 1


@skep.tp_btf("sys_enter")
def leaves(regs, number):
    """At a call that the process makes, whichever."""
    task = skep.get_current_task_btf()
    one = wanted.lookup(task.tgid)
    if one is not None and one.done == 0:
        one.work.start(task, reads)


@skep.perf_event("cpu-clock", frequency=99)
def leaves_of_a_sample(ctx):
    """At a time when nothing else may be done."""
    task = skep.get_current_task_btf()
    one = wanted.lookup(task.tgid)
    if one is not None and one.done == 0:
        one.work.interrupt(task, reads)
