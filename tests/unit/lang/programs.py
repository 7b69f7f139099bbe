"""Programs that compile: one for each thing that the language has, and those that a stricter compiler would refuse.

They are compiled for the kernel of ``kernel.py``, not run; those that run are in tests/kernel/lang/programs.py.
"""

import skep
from skep import s32, u8, u16, u32, u64
from tests.unit.lang.prelude import (
    CHOICES,
    LIMIT,
    SOCKET,
    STATE,
    Eth,
    Note,
    Other,
    Padded,
    Pair,
    Wide,
    anything,
    counts,
    double,
    pairs,
    per_cpu,
    ports,
    ring,
    rings,
    slots,
    stacks,
)

NONE = ()
ONLY, ANY = 7, None


@skep.xdp
def nothing(ctx):
    """A docstring, and no statement."""


@skep.xdp
def checked_by_early_return(ctx):
    count = counts.lookup(1)
    if count is None:
        return 0
    return count + 1


@skep.xdp
def checked_by_truth(ctx):
    found = pairs.lookup(Pair())
    if found:
        return found.small
    if not found:
        return 1
    return 2


@skep.xdp
def checked_by_and_or(ctx):
    found = pairs.lookup(Pair())
    if found is not None and found.small > 1:
        return 1
    if found is None or found.small > 1:
        return 2
    return found.small


@skep.xdp
def checked_in_a_choice(ctx):
    count = counts.lookup(1)
    return count if count is not None else 0


@skep.xdp
def checked_in_both_branches(ctx):
    if ctx.ingress_ifindex > 1:
        found = pairs.lookup(Pair(1, 1))
        if found is None:
            return 0
    else:
        found = pairs.lookup(Pair(2, 2))
        if found is None:
            return 0
    return found.small


@skep.xdp
def checked_against_the_other_side(ctx):
    count = counts.lookup(1)
    if None is not count:
        count += 1


@skep.xdp
def checked_in_each_round(ctx):
    for i in range(4):
        count = counts.lookup(i)
        if count is None:
            continue
        if count == 0:
            break
        count += 1


@skep.xdp
def none_until_a_round_finds_it(ctx):
    found = None
    for i in range(3):
        if found is None:
            found = pairs.lookup(Pair(i, i))
    return 0 if found is None else found.small


@skep.xdp
def none_at_first_and_used_before_it_is_found(ctx):
    found = None
    count = None
    for i in range(3):
        if found is not None and count is not None:
            found.small += 1
            count += found.small
        else:
            found = pairs.lookup(Pair(i, i))
            count = counts.lookup(i)


@skep.xdp
def none_or_a_packet(ctx):
    eth = ctx.view(Eth) if ctx.rx_queue_index else None
    later = None
    if ctx.ingress_ifindex > 1:
        later = ctx.view(Eth, 14)
    if eth is None or later is None:
        return 2
    return eth.proto == later.proto


@skep.xdp
def a_pointer_by_another_name(ctx):
    count = counts.lookup(1)
    if count is None:
        return 0
    other = count
    other += 1
    return other


@skep.xdp
def set_on_every_path(ctx):
    if ctx.ingress_ifindex > 1:
        n = 1
    elif ctx.ingress_ifindex > 0:
        n = 2
    else:
        return 3
    return n


@skep.xdp
def set_by_a_loop_that_runs(ctx):
    for i in range(3):
        n = i
    return n + i


@skep.xdp
def behind_a_constant_condition(ctx):
    if LIMIT > 5:
        return 1
    return ctx.ingress_ifindex and ctx.rx_queue_index  # never reached, and outside the language


@skep.xdp
def behind_a_return(ctx):
    if ctx.ingress_ifindex > 1:
        return 1
    return 2
    while True:  # never reached, and outside the language
        pass


@skep.xdp
def a_record_on_every_path(ctx):
    e = ring.reserve()
    if e is None:
        return 0
    e.pid = 1
    if ctx.ingress_ifindex > 1:
        e.discard()
        return 1
    if ctx.ingress_ifindex > 0:
        e.submit()
    else:
        e.submit()
    return 2


@skep.xdp
def a_record_in_each_round(ctx):
    for i in range(3):
        e = rings.reserve(Other)
        if e is None:
            break
        e.amount = i
        e.submit()
    other = rings.reserve(Padded)
    if other is not None:
        other.discard()


def fill(e: Note, pid: u32):
    e.pid = pid


@skep.xdp
def a_record_filled_by_a_function(ctx):
    e = ring.reserve(Note)
    if e is None:
        return
    fill(e, 7)
    e.submit()


@skep.xdp
def memory_of_every_kind(ctx):
    wide = Wide(small=1, port=80, number=-1, big=1 << 40, inner=Pair(1, second=2))
    wide.pairs[1].second = 5
    wide.bytes[wide.small & 7] = 255
    STATE.inner = wide.inner
    STATE.pairs = wide.pairs
    STATE.name = wide.name
    found = pairs.lookup(wide.inner)
    if found is not None:
        found.inner = STATE.pairs[2]
        pairs[Pair(3, 4)] = found
    buffer = skep.u8[16]()
    words = u32[4]()
    words[ctx.ingress_ifindex & 3] += 5
    buffer[len(buffer) - 1] = words[0]
    return buffer[15] + wide.pairs[1].second


@skep.xdp
def maps_of_every_kind(ctx):
    counts[5] = 6
    counts.update(7, 8, 1)
    counts.increment(ctx.ingress_ifindex)
    counts.increment(ctx.ingress_ifindex, 10)
    del counts[5]
    counts.delete(6)
    per_cpu.increment(3)
    ports[0x7F000001] = 443
    port = ports.lookup(0x7F000001)
    if port is not None:
        port += 1
        port[0] = 5
    row = slots.lookup(2)
    if row is not None:
        row[3] += 1
    if 5 in counts and Pair() not in pairs:
        return 1
    counts[u32(1 in counts)] = u64(2 in counts)
    return counts.update(1, 2) < 0


@skep.tp_btf("sched_process_exec")
def kernel_objects(task, old_pid, sock):
    parent = task.real_parent.real_parent
    STATE.number = parent.tgid + task.exit_code
    STATE.name = task.comm
    STATE.small = task.comm[2]
    STATE.big = task.ticks[1] + task.counter[2] + u64(task)
    STATE.number = task.nice * s64_of(task.policy)
    file = task.files.fdt.fd[2]
    STATE.inner.first = file.f_flags
    counts[task.tgid] = SOCKET(u64(sock)).sk_mark
    skep.probe_read_user_str(STATE.name, task.argument)


def s64_of(number):
    return skep.s64(number)


@skep.tp_btf("sched_process_exec")
def helpers(task, old_pid, sock):
    skep.get_current_comm(STATE.name)
    skep.get_current_comm(STATE.bytes, 8)
    stack = skep.get_stackid(stacks, 0)
    tcp = skep.skc_to_tcp_sock(sock)
    if tcp is not None and stack >= 0:
        return tcp.srtt_us
    return skep.get_current_task().tgid


@skep.tp_btf("sched_process_exec")
def atomics(task):
    count = counts.lookup(1)
    if count is None:
        return 0
    skep.atomic_add(count, 1)
    skep.atomic_or(STATE.big, 3)
    old = skep.atomic_xchg(STATE.number, -5)
    seen = skep.atomic_cmpxchg(STATE.big, 1, 2)
    return seen + u64(old)


@skep.iterator("task")
def iterates(ctx):
    task = ctx.task
    meta = ctx.meta
    if task is None or meta is None:
        return 0
    skep.seq_write(meta.seq, STATE.name)
    return task.real_parent.pid == 1


@skep.tracepoint("syscalls/sys_enter_openat")
def by_format(ctx):
    if ctx.nr == 257 and ctx.mode & 0o111:
        counts.increment(ctx.common_pid & 63)


@skep.perf_event(frequency=99)
def samples(ctx):
    return ctx.sample_period > 1


@skep.cgroup("connect4")
def connects(ctx):
    ctx.user_ip4 = 0x0100007F
    return ctx.user_port != 80


@skep.tc("ingress")
def packets(ctx):
    for i in range(2):
        eth = ctx.view(Eth, i * 14)
        if eth is None:
            return 0
        eth.proto = 0x800
        eth.dst = eth.src
    tail = ctx.view(u8[4], ctx.len - 4)
    word = ctx.view(u16, 12)
    if tail is None or word is None:
        return -1
    return tail[3] + word


@skep.xdp
def tests_of_every_kind(ctx):
    n = ctx.ingress_ifindex
    if (1 < n <= 5 < ctx.rx_queue_index != 7 and n in CHOICES) or not n:
        return 1
    if n in range(5) or n not in range(ctx.rx_queue_index) or n in {1, 2} or n in NONE:
        return 2
    if n == LIMIT and (n > 3) == (n > 4):
        return 3
    flag = n > 3 or n < 2
    return 4 if flag else 5


@skep.xdp
def loops_of_every_kind(ctx):
    total = 0
    for _ in range(3):
        for j in range(1, 10, 3):
            if j == 4:
                continue
            if j == 7:
                break
            total += j
    for k in range(10, 0, -2):
        total += k
    for m in range(min(ctx.ingress_ifindex, 8)):
        total += m
    return total


def six(a, b, c, d, e, f):  # noqa: PLR0917 - more than the kernel passes in registers
    return a + b + c + d + e + f


@skep.noinline
def flag(n: u32):
    return n > 3


@skep.inline
def port_of(ctx):
    return ctx.ingress_ifindex


@skep.xdp
def functions_of_every_kind(ctx):
    if flag(ctx.ingress_ifindex):
        return six(1, 2, 3, 4, 5, 6)
    return double(ctx.ingress_ifindex) + anything(u8(1)) + port_of(ctx)


@skep.xdp
def by_captured_options(ctx):
    if ONLY is not None and ctx.ingress_ifindex != ONLY:
        return 1
    if ANY is not None and ctx.ingress_ifindex != ANY:
        return 2
    return 3 if ANY is None else 4


# --- hooks that are shared ------------------------------------------------------------------------------------------


@skep.xdp(order=10)
def one_of_several(ctx):
    return 1 if ctx.ingress_ifindex == 3 else 2


@skep.syscall("openat", "connect")
def two_calls(arg0, number):
    pairs[Pair(number, u32(arg0))] = Wide(big=arg0)


@skep.syscall("openat")
def one_call(mode, filename):
    counts.increment(u32(mode), filename)


@skep.syscall_exit("openat", "stat")
def two_exits(result, number):
    if result < 0:
        counts.increment(number)


@skep.syscall()
def every_call(number, arg0):
    counts.increment(number, arg0)


@skep.syscall_exit()
def every_exit(number):
    counts.increment(number)


@skep.struct_ops("tcp_congestion_ops.ssthresh")
def sets_a_field_of_an_object(sk):
    sk.cwnd = max(sk.cwnd >> 1, 2)
    return sk.srtt_us


@skep.usdt("app", "skep:two")
def arguments_in_two_ways(number, where: u32):
    return number + s32(where)


@skep.kretprobe("do_unlinkat")
def a_result(result, ctx):
    return result + s32(ctx.ip)


@skep.fexit("do_unlinkat")
def arguments_and_a_result(dfd, name, result):
    if result + dfd > 3:
        return 0
    return 0


@skep.kprobe_multi("do_unlinkat", "do_rmdir")
def what_functions_share(dfd, other):
    return dfd + s32(other)


@skep.raw_tp("test_finish", writable=True)
def changes_an_argument(error):
    if error[0] == 0:
        error[0] = -5


@skep.sk_msg
def a_packet_between_whole_pointers(ctx):
    first = ctx.view(u16, 2)
    sk = ctx.sk
    if first is None or len(ctx) != ctx.size:
        return sk.family == 2
    first[0] = 5
    return 1


@skep.lsm("known")
def a_truth_value_of_a_hook(task):
    return 1


@skep.lsm("forgets")
def any_result_of_a_hook_without(task):
    return 5


@skep.fmod_ret("do_unlinkat")
def any_result_of_a_function(dfd):
    return 5
