"""One run of a program in the kernel on input of the caller's: attached to nothing, seen by nobody.

``skep.run`` compiles, loads, runs, and takes the program and its maps away again. For tests, and to see what a program
does to a packet; for several runs on the same maps there is ``Live.run``.
"""

from skep.lang.programs import Program
from skep.program.load import load
from skep.program.machine import Machine
from skep.program.plainly import plainly
from skep.program.results import Contents, Input, Result


@plainly
def run(
    program: Program,
    given: Input,
    *,
    context: bytes = b"",
    maps: Contents | None = None,
    machine: Machine | None = None,
) -> Result:
    """Run ``program`` once in the kernel on ``given``: a packet, or else the context.

    A packet has at least 14 bytes, its Ethernet header; ``context`` may go with it, in the layout of the kernel's
    struct. The context of a raw_tp program is its arguments, as integers, that of a syscall program its Struct, whose
    bytes the result has as it was left. ``maps`` is what maps hold before the run: ``{counts: {7: 1}}``.
    Needs root. Unsupported for a kind that the kernel runs only where it is attached (tp_btf, tracepoint, perf_event,
    cgroup connect); the errors of ``load`` otherwise.
    """
    with load(program, machine=machine, attach=False, pins=None) as live:
        return live.run(program, given, context=context, maps=maps)
