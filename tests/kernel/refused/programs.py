"""Programs that the compiler cannot be sure of, and the verifier refuses: what a user is told of them."""

import skep
from skep import Hash, Struct, s32, u8, u32, u64

task_acquire, task_release = skep.kfunc("bpf_task_acquire"), skep.kfunc("bpf_task_release")


class Wide(Struct):
    """A value with an array."""

    big: u64
    bytes: u8[12]


wides = Hash(u32, Wide, 4)


def look(sk):
    return sk.family


@skep.raw_tp("sys_enter")
def one_too_many(regs, number):
    wide = wides.lookup(1)
    if wide is None:
        return
    i = u64(number)
    if i <= 20:
        wide.bytes[i] = 1


@skep.raw_tp("sys_enter")
def may_be_negative(regs, number):
    wide = wides.lookup(1)
    place = number - 1
    if wide is not None and place < 12:
        wide.bytes[place] = 1


@skep.raw_tp("sys_enter")
def size_may_be_negative(regs, number):
    buffer = u8[16]()
    size = s32(number) - 1
    if size < 16:
        skep.probe_read_user(buffer, size, number)


@skep.tp_btf("sched_switch")
def a_task_that_may_go(preempt, prev):
    task = task_acquire(prev.last_wakee)
    if task is not None:
        task_release(task)


@skep.tc("ingress")
def kept_elsewhere(ctx):
    addresses = u32[3]()
    sk = skep.sk_lookup_tcp(addresses, 12, -1, 0)
    return 0 if sk is None else look(sk)


@skep.tc("egress")
def mark_of_a_request(ctx):
    sk = ctx.sk
    if sk is not None:
        ctx.mark = sk.mark


@skep.cgroup("skb_egress")
def computed_result(ctx):
    return ctx.len + 1


@skep.global_function
def first(n: u64) -> u64:
    return skep.ktime_get_ns() + n


@skep.global_function
def second(n: u64) -> u64:
    return first(n) + n


@skep.global_function
def third(n: u64) -> u64:
    return second(n) + n


@skep.global_function
def fourth(n: u64) -> u64:
    return third(n) + n


@skep.global_function
def fifth(n: u64) -> u64:
    return fourth(n) + n


@skep.global_function
def sixth(n: u64) -> u64:
    return fifth(n) + n


@skep.global_function
def seventh(n: u64) -> u64:
    return sixth(n) + n


@skep.global_function
def eighth(n: u64) -> u64:
    return seventh(n) + n


@skep.xdp
def nine_deep(ctx):
    return 2 if eighth(len(ctx)) == 0 else 1


TOLD = {
    nine_deep: "functions call each other more than 8 deep",
    one_too_many: "memory is used up to byte 29, and ends at byte 24",
    may_be_negative: "an index may be negative here, or has no upper limit",
    size_may_be_negative: "the size that probe_read_user() gets may be negative, or has no upper limit",
    mark_of_a_request: "this socket may be no full one, but a request or one that waits for the last packets: such "
    "have no mark, priority, protocol and type",
    kept_elsewhere: "a socket is still held where the program returns",
    computed_result: "programs of kind cgroup_skb_egress return 0 to 3",
}
OF_TASKS = {
    a_task_that_may_go: "task_acquire() takes an object that cannot go away; this one can",
}
