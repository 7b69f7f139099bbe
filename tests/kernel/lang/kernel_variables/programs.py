"""Programs that name variables of the kernel, and addresses."""

import skep
from skep import Array, u64

RUNQUEUES = skep.kernel_variable("runqueues")
ACTIVE = skep.kernel_variable("bpf_prog_active")
NO_VARIABLE = skep.kernel_variable("no_such_variable")
HANDLER = skep.kernel_address("tcp_v4_rcv")
INIT = skep.kernel_address("init_task")
NO_ADDRESS = skep.kernel_address("no_such_address")
TASK = skep.kernel_struct("task_struct")
numbers = Array(u64, 8)


@skep.xdp
def of_each_cpu(ctx):
    """The number that the run queue of a CPU has, of this one and of two others."""
    numbers[0] = skep.this_cpu_ptr(RUNQUEUES).cpu
    numbers[1] = skep.get_smp_processor_id()
    first = skep.per_cpu_ptr(RUNQUEUES, 0)
    if first is None:
        return 1
    numbers[2] = first.cpu + 1
    none = skep.per_cpu_ptr(RUNQUEUES, 1 << 20)
    numbers[3] = 1 if none is None else 0
    return 2


@skep.tp_btf("sched_process_exec")
def a_number_of_each_cpu(task, old_pid, bprm):
    """A number, of which the kernel counts what runs."""
    active = skep.per_cpu_ptr(ACTIVE, skep.get_smp_processor_id())
    if active is not None:
        numbers[4] = 100 + active


@skep.xdp
def addresses(ctx):
    """A number that the loader finds, and what it is not to find."""
    numbers[5] = HANDLER
    numbers[6] = HANDLER + 16
    if NO_ADDRESS is not None or HANDLER is None:
        numbers[7] = NO_ADDRESS + 1
        return 1
    return 2 if NO_VARIABLE is None and hasattr(RUNQUEUES, "cpu") else 1


@skep.xdp
def of_an_address(ctx):
    """The first task, which no function gives."""
    first = TASK(INIT)
    return 2 if first.pid == 0 and first.comm[0] == ord("s") else 1


@skep.xdp
def nowhere(ctx):
    """What must be there, and is not."""
    return NO_ADDRESS == 5


TUNNELS = skep.kernel_variable("nf_tables:nft_pcpu_tun_ctx")
NO_TUNNELS = skep.kernel_variable("nf_tables:no_such_variable")


@skep.xdp
def of_a_module(ctx):
    """A variable that a module has, where it is loaded, and one that it has not."""
    if NO_TUNNELS is not None:
        return 1
    if TUNNELS is None:
        return 3
    first = skep.per_cpu_ptr(TUNNELS, 0)
    return 2 if first is not None and u64(first) != u64(skep.this_cpu_ptr(RUNQUEUES)) else 1
