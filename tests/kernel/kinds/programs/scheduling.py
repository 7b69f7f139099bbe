"""A scheduler: tasks wait in one queue, first come, first served, and each processor takes from it."""

import skep
from skep import Array, Hash, char, s32, u32, u64

SHARED, NOWHERE = 0, 77
SLICE = 20_000_000
PARTIAL = 1 << 3
"""SCX_OPS_SWITCH_PARTIAL: of the tasks of the machine only those that ask for SCHED_EXT."""
make_queue, remove_queue = skep.kfunc("scx_bpf_create_dsq"), skep.kfunc("scx_bpf_destroy_dsq")
put, take = skep.kfunc("scx_bpf_dsq_insert"), skep.kfunc("scx_bpf_dsq_move_to_local")
queued, run = Hash(u32, u64, 1024), Hash(u32, u64, 1024)
ended = Array(u64, 1)
reason = Array(char[128], 1)


@skep.struct_ops("sched_ext_ops.init", sleepable=True)
def init():
    """The queue, on any node."""
    return make_queue(SHARED, s32(-1))


@skep.struct_ops("sched_ext_ops.enqueue")
def enqueue(p, enq_flags):
    """A task that may run waits."""
    queued.increment(p.tgid)
    put(p, SHARED, SLICE, enq_flags)


@skep.struct_ops("sched_ext_ops.enqueue")
def lose(p, enq_flags):
    """A queue that there is not."""
    put(p, NOWHERE, SLICE, enq_flags)


@skep.struct_ops("sched_ext_ops.dispatch")
def dispatch(cpu, prev):
    """A processor has nothing to do."""
    take(SHARED)


@skep.struct_ops("sched_ext_ops.running")
def running(p):
    """A task runs."""
    run.increment(p.tgid)


@skep.struct_ops("sched_ext_ops.exit")
def left(ei):
    """Why it ended, as a number and in words of the kernel."""
    ended[0] = u64(ei.kind)
    text = char[128]()
    skep.probe_read_kernel_str(text, ei.msg)
    reason[0] = text


fifo = skep.StructOps(
    "sched_ext_ops",
    name="skep_fifo",
    flags=PARTIAL,
    timeout_ms=5000,
    init=init,
    enqueue=enqueue,
    dispatch=dispatch,
    running=running,
    exit=left,
)
losing = skep.StructOps("sched_ext_ops", name="skep_losing", flags=PARTIAL, enqueue=lose, exit=left)
