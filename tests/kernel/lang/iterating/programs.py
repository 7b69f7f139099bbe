"""Programs that go over what the kernel has: bits, tasks, mappings, cgroups."""

import skep
from skep import Array, Hash, u32, u64
from tests.kernel.lang.both import Given

BITS = skep.kernel_iterator("bits")
TASKS = skep.kernel_iterator("task")
MAPPINGS = skep.kernel_iterator("task_vma")
GROUPS = skep.kernel_iterator("css")
GONE = skep.kernel_iterator("gone_from_here")
own = Hash(u32, u32, 8)
results = Array(u64, 8)


@skep.xdp
def numbers_of_bits(ctx):  # noqa: C901 - all ways to leave a loop
    """All ways to leave such a loop, one within another, and one in a long loop."""
    v = ctx.view(Given)
    if v is None or BITS is None:
        return 0
    words, total = u64[1](), u64(0)
    words[0] = v.a
    for bit in BITS(words, 1):
        if bit == 9:
            continue
        if bit > 40:
            break
        total += u64(bit)
    else:
        total += 1000
    for bit in BITS(words, 1):
        for other in BITS(words, 1):
            if other > 3 and v.e & 1:
                return u32(total + u64(bit) * 64 + u64(other))
            total += u64(other & bit)
    for i in range(len(ctx)):
        for bit in BITS(words, 1):
            if u64(bit) == i:
                total += 7
                break
            if bit > 60:
                return u32(total)
    return u32(total)


@skep.tp_btf("sys_enter")
def counts_threads(regs, number):
    """The threads of a process, as it sees them, and the tasks of the machine up to some number."""
    task = skep.get_current_task_btf()
    if GONE is not None or task.tgid not in own:
        return
    threads = 0
    for thread in TASKS(task, 2):
        threads += 1 if thread.tgid == task.tgid else 1000
    processes = 0
    for process in TASKS(None, 0):
        processes += 1
        if process.pid == task.tgid:
            results.increment(2)
    results[0], results[1] = threads, processes


@skep.tp_btf("sys_enter")
def sums_mappings(regs, number):
    """The bytes that a process has mapped."""
    task = skep.get_current_task_btf()
    if task.tgid not in own:
        return
    mapped: u64 = 0
    for mapping in MAPPINGS(task, 0):
        mapped += mapping.vm_end - mapping.vm_start
    results[3] = mapped
