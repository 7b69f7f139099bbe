"""Programs that write to perf buffers."""

import os

import skep
from skep import Array, Hash, PerfBuffer, Struct, UserRing, char, s32, u8, u32, u64

GETPPID = 110 if os.uname().machine == "x86_64" else 173


class Call(Struct):
    pid: u32
    number: u32
    comm: char[16]


class Big(Struct):
    n: u64
    rest: u8[248]


mine = Hash(u32, u32, 8)
calls = PerfBuffer(Call)
few = PerfBuffer(Big, pages=1)
some = PerfBuffer(None)


@skep.tp_btf("sys_enter")
def on_call(regs, number):
    pid = u32(skep.get_current_pid_tgid() >> 32)
    if number != GETPPID or pid not in mine:
        return
    call = Call(pid=pid, number=u32(number))
    skep.get_current_comm(call.comm)
    calls.output(call)
    some.output(call.comm, 5)


@skep.tc("ingress")
def floods(ctx):
    big = Big()
    for i in range(100):
        big.n = i
        few.output(big)
    return 0


class Order(Struct):
    what: u32
    amount: u64


orders = UserRing(Order)
sums = Array(u64, 4)
STOP = 3


def carry_out(order):
    sums.increment(order.what & 3, order.amount)
    return order.what == STOP


def counts(order):
    sums.increment(0)


def largest(order, most):
    most[0] = max(most[0], order.amount)
    most[1] += 1
    return most[1] == STOP


@skep.tc("ingress")
def takes_largest(ctx):
    most = u64[2]()
    taken = orders.drain(largest, most)
    return s32(most[0]) * 10 + s32(taken)


@skep.tc("ingress")
def takes(ctx):
    return orders.drain(carry_out)


@skep.tc("ingress")
def takes_all(ctx):
    return orders.drain(counts)
