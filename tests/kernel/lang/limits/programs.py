"""Programs near to what the checks refuse, which the verifier takes: the checks tell only what is sure."""

import skep
from skep import Hash, Struct, s16, s32, u8, u32, u64
from skep.lang.library.headers import Ethernet


class Wide(Struct):
    """A value with an array."""

    big: u64
    bytes: u8[8]


wides = Hash(u32, Wide, 4)
seen = Hash(u64, u64, 4)


def small(i):
    return u64(i) < 8


def put(wide, i):
    wide.bytes[i] = 1


def winding(number: u64) -> s16:
    """Too long to be part of who calls it; of what it gives, many bits are never set."""
    if number % 7 == 3:
        seen[number * 3] = seen[number * 5] = number
        return s16((number % 3) << 11)
    seen[number] = number
    seen[number + 1] = number // 3
    seen[number + 2] = number // 5
    seen[number // 2] = number
    seen[number // 5] = number
    seen[number // 7] = number // 3
    seen[number // 9] = number // 4
    seen[number // 11] = number
    return s16((number % 5) << 11)


def family(sk):
    found = sk.family
    skep.sk_release(sk)
    return found


@skep.raw_tp("sys_enter")
def cut_off(regs, number):
    wide = wides.lookup(1)
    if wide is None:
        return
    wide.bytes[number & 7] = 1
    put(wide, u64(number) % 8)
    i = u32(number)
    if i > 7:
        return
    wide.bytes[i] = 1


@skep.raw_tp("sys_enter")
def cut_off_what_a_function_gives(regs, number):
    wide = wides.lookup(1)
    if wide is None:
        return
    wide.bytes[winding(number) & 7] = 1
    i = winding(number + 1) & 7
    put(wide, i)


@skep.raw_tp("sys_enter")
def cut_off_what_a_division_gives(regs, number):
    wide = wides.lookup(1)
    if wide is None:
        return
    i = (u8(number) // 40) & 7  # at most 6
    j = (3 % u32(number)) & 7
    k = (s32(u8(number)) // -40 + 7) & 7
    n = (s32(u8(number)) % -7) & 7
    o = (2 >> u8(number)) & 7
    wide.bytes[i] = wide.bytes[j] = wide.bytes[k] = wide.bytes[n] = wide.bytes[o] = 1
    for step in range(u32(12)):
        m = (step // u8(number)) & 7
        p = (step // 3) & 7
        wide.bytes[m] = wide.bytes[p] = 1


@skep.raw_tp("sys_enter")
def tested_by_another_name(regs, number):
    wide = wides.lookup(1)
    n = u64(number)
    i = n
    if wide is not None and i < 8:
        wide.bytes[n] = 1


@skep.raw_tp("sys_enter")
def tested_by_a_function(regs, number):
    wide = wides.lookup(1)
    n = u64(number)
    if wide is not None and small(n):
        wide.bytes[n] = 1


@skep.raw_tp("sys_enter")
def one_of_some(regs, number):
    wide = wides.lookup(1)
    if wide is None:
        return
    if number in (1, 2):
        wide.bytes[number] = 1
    if number in range(8):
        wide.bytes[number] = 2
    match number:
        case 3 | 4:
            wide.bytes[number] = 3


@skep.raw_tp("sys_enter")
def limited_in_memory(regs, number):
    wide = wides.lookup(1)
    if wide is None:
        return
    wide.big = u64(number) & 7
    wide.bytes[wide.big] = 1


@skep.raw_tp("sys_enter")
def counted(regs, number):
    wide = wides.lookup(1)
    if wide is None:
        return
    i = u64(0)
    while i < 8:
        wide.bytes[i] = 1
        i += 1
    for k in range(u32(number)):
        if k > 7:
            break
        wide.bytes[k] = 2


@skep.raw_tp("sys_enter")
def sizes(regs, number):
    buffer = u8[16]()
    skep.probe_read_user(buffer, 16, number)
    skep.probe_read_user(buffer, min(u64(number), 16), number)
    skep.probe_read_user(buffer[4:], 12, number)
    skep.probe_read_user(buffer[4], 12, number)
    return buffer[3]


@skep.cgroup("skb_egress")
def results(ctx):
    size = ctx.len
    return size & 1 if size > 100 else min(size, 1)


@skep.tc("ingress")
def taken_again(ctx):
    eth = ctx.view(Ethernet)
    if eth is None:
        return 0
    proto = eth.type
    skep.skb_pull_data(64)
    if eth is None:
        return 0
    eth = ctx.view(Ethernet)
    if eth is None:
        return proto
    return eth.type


@skep.tc("ingress")
def taken_in_each_round(ctx):
    total = 0
    for _ in range(3):
        eth = ctx.view(Ethernet)
        if eth is None:
            break
        total += eth.type
        skep.skb_pull_data(64)
    return total


@skep.tc("ingress")
def given_back(ctx):
    addresses = u32[3]()
    sk = skep.sk_lookup_tcp(addresses, 12, -1, 0)
    if sk is not None:
        kind = sk.family
        skep.sk_release(sk)
        if kind == 2:
            return 1
    sk = skep.sk_lookup_udp(addresses, 12, -1, 0)
    if sk is None:
        return 0
    skep.sk_release(sk)
    return 2


@skep.tc("ingress")
def given_back_elsewhere(ctx):
    addresses = u32[3]()
    sk = skep.sk_lookup_tcp(addresses, 12, -1, 0)
    if sk is None:
        return 0
    other = sk
    return family(other)


@skep.tc("ingress")
def given_back_in_a_choice(ctx):
    addresses = u32[3]()
    sk = skep.sk_lookup_tcp(addresses, 12, -1, 0)
    return 0 if sk is None else family(sk)


@skep.tc("ingress")
def given_back_in_a_condition(ctx):
    addresses = u32[3]()
    sk = skep.sk_lookup_tcp(addresses, 12, -1, 0)
    if sk is not None and family(sk) == 2:
        return 1
    return 0


@skep.raw_tp("sys_enter")
def ends(regs, number):
    n = u64(number)
    while True:
        n >>= 1
        if n == 0:
            break
    while True:
        return n


@skep.raw_tp("sched_switch")
def computes_with_addresses_that_are_numbers(preempt, prev):
    numbers[1] = u64(prev) >> 6


@skep.tp_btf("sched_switch")
def keeps_and_compares_addresses(preempt, prev, after):
    if u64(prev) != u64(after):
        numbers[2] = u64(prev)


@skep.tp_btf("sched_switch")
def indexes_the_kernel_s_arrays_in_short_loops(preempt, prev):
    long = u64(0)
    while long < 16 and prev.comm[long] != 0:
        long += 1
    for i in range(4):
        for j in range(4):
            long += prev.comm[4 * i + j]
    numbers[3] = long


task_from_pid, task_release = skep.kfunc("bpf_task_from_pid"), skep.kfunc("bpf_task_release")


@skep.tp_btf("sched_process_exec")
def gives_back_where_it_holds(exec_task):
    if task_from_pid is None:
        return
    task = task_from_pid(exec_task.tgid)
    if task is None:
        task = task_from_pid(1)
    kind = exec_task.tgid & 1
    if task is not None and kind == 1:
        numbers[4] = task.start_time
        task_release(task)
    elif task is not None:
        task_release(task)
    for i in range(4):
        found = task_from_pid(i)
        if found is None:
            continue
        if found.tgid == 7:
            task_release(found)
            break
        task_release(found)
    one, other = task_from_pid(2), task_from_pid(3)
    if one is not None:
        task_release(one)
    if other is not None:
        task_release(other)


rcu_lock, rcu_unlock = skep.kfunc("bpf_rcu_read_lock"), skep.kfunc("bpf_rcu_read_unlock")
disable, enable = skep.kfunc("bpf_preempt_disable"), skep.kfunc("bpf_preempt_enable")
numbers = Hash(u32, u64, 4)


@skep.noinline
def opens(n: u64) -> u64:
    rcu_lock()
    return n


@skep.noinline
def closes(n: u64) -> u64:
    rcu_unlock()
    return n


@skep.tp_btf("sched_switch")
def sections_end_on_every_path(preempt, prev):
    if rcu_lock is None or disable is None:
        return
    opens(1)
    count = numbers.lookup(1)
    closes(1)
    rcu_lock()
    if count is None:
        rcu_unlock()
        return
    rcu_unlock()
    disable()
    for i in range(4):
        disable()
        if prev.tgid == i:
            enable()
            break
        enable()
    enable()


steps = skep.ProgArray(4)


@skep.xdp
def tries_a_few(ctx):
    for i in range(4):
        steps.call(ctx, i)
    for i in range(len(ctx)):
        if i == 50:
            break
    steps.call(ctx, 0)
    return 2


class Half(Struct):
    """Half of a program's stack."""

    numbers: u64[32]


@skep.noinline
def below(address: u64) -> u64:
    half = Half()
    skep.probe_read_kernel(half, address)
    return half.numbers[1]


@skep.xdp
def all_of_the_stack(ctx):
    half = Half()
    skep.probe_read_kernel(half, len(ctx))
    return 2 if below(half.numbers[0]) == half.numbers[1] else 1


@skep.noinline
def first(n: u64) -> u64:
    return skep.ktime_get_ns() + n


@skep.noinline
def second(n: u64) -> u64:
    return first(n) + 1


@skep.noinline
def third(n: u64) -> u64:
    return second(n) + 1


@skep.noinline
def fourth(n: u64) -> u64:
    return third(n) + 1


@skep.noinline
def fifth(n: u64) -> u64:
    return fourth(n) + 1


@skep.noinline
def sixth(n: u64) -> u64:
    return fifth(n) + 1


@skep.noinline
def seventh(n: u64) -> u64:
    return sixth(n) + 1


@skep.xdp
def eight_deep(ctx):
    return 2 if seventh(len(ctx)) == 0 else 1


class Timed(Struct):
    """A value with a timer."""

    timer: skep.Timer
    number: u64


timed = Hash(u32, Timed, 4)


def later(key, value):
    half = Half()
    skep.probe_read_kernel(half, value.number)
    value.number = half.numbers[1] + below(half.numbers[2])


@skep.tc("ingress")
def a_timer_has_a_stack_of_its_own(ctx):
    half = Half()
    skep.probe_read_kernel(half, len(ctx))
    value = timed.lookup(1)
    if value is not None and half.numbers[0] == 0:
        value.timer.start(half.numbers[1], later)
    return 0


@skep.raw_tp("sched_process_exec")
def tested_on_both_sides(task):
    """Of a number with a sign: in one test, under two names, with an early return, of a choice, by a loop."""
    cells, at, other = u64[8](), task.tgid, task.pid
    again = other
    total = u64(0)
    if 0 <= at < 8:
        total += cells[at]
    if again < 8 and other >= 0:
        total += cells[other]
    chosen = at if at < 8 else 7
    if chosen >= 0:
        total += cells[chosen]
    first = task.exit_code
    if first < 0:
        return total
    last = first
    if last > 7:
        return total
    return total + cells[first]
