"""Programs on tracepoints, whose records have text and bytes of any length behind them."""

import skep
from skep import Hash, Record, Ring, char, u8, u32

mine = Hash(u32, u8, 64)


class Started(Record):
    """A program that was run, by the name that the record has behind it."""

    name: char[64]
    length: u32
    first: u8


started = Ring(Started)


@skep.tracepoint("sched/sched_process_exec")
def tells_names(ctx):
    if u32(ctx.pid) not in mine:
        return
    e = started.reserve()
    if e is not None:
        skep.probe_read_kernel_str(e.name, ctx.filename)
        e.length = len(ctx.filename)
        e.first = ctx.filename[0]
        e.submit()
