"""OOM kills: the program for a kernel. Values only; the events are in the ring ``lifecycle`` of ``node``."""

from skep.base.errors import Unsupported
from skep.btf.reader import Btf
from skep.btf.types import Array, Kind, Ptr
from skep.lang.programs import Program
from skep.trace.programs.oom import on_victim, on_victim_before, on_victim_pid


def programs(btf: Btf) -> tuple[Program, ...]:
    """The program for the kernel of these types; Unsupported where it does not tell of victims."""
    tracepoint = btf.find(Kind.TYPEDEF, "btf_trace_mark_victim")
    if tracepoint is None:
        raise Unsupported("OOM kills", "the kernel has no tracepoint mark_victim", since="4.14")
    victim = btf.prototype(tracepoint).params[1]
    if not isinstance(btf.type(btf.resolve(victim.type_id)), Ptr):
        return (on_victim_pid,)
    memory = btf.find(Kind.STRUCT, "mm_struct")
    pages = btf.field(memory, "rss_stat") if memory is not None else None
    counters = pages is not None and isinstance(btf.type(btf.resolve(pages.type_id)), Array)
    return (on_victim if counters else on_victim_before,)
