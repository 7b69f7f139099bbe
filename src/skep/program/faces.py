"""What a user sees of a live map that is no table: ``live[map]`` of streams, arenas, arrays of programs, devices.

Imported only where a program uses one of them.
"""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from skep.kernel.arenas import ArenaMemory
from skep.kernel.handle import Handle
from skep.kernel.nested import Programs
from skep.kernel.perf_buffers import PerfReader
from skep.kernel.redirects import Places
from skep.kernel.user_rings import UserRing
from skep.kernel.variables import Mapped, Variables
from skep.lang.declared import streams
from skep.lang.declared.arena import Arena
from skep.lang.maps import Declaration
from skep.program.live_perf import LivePerfBuffer
from skep.program.live_programs import LivePrograms

Face = Any
"""A LivePerfBuffer, LivePrograms, Variables, or the map itself."""


def face(
    declared: Declaration, live: Handle, stack: ExitStack, program: Callable[[Any], Any]
) -> Face:
    """The face of a map; what has to be closed goes to ``stack``, ``program`` gives a live program."""
    match declared, live:
        case streams.PerfBuffer(), _:
            samples = PerfReader(live, declared.pages)
            stack.callback(samples.close)
            return LivePerfBuffer(declared, samples)
        case streams.UserRing(), UserRing():
            return live.carrying(declared.carries)
        case Arena(), ArenaMemory():
            return Variables(declared.value, Mapped(live.memory()), 0, live.spec.name)
        case _, Programs():
            return LivePrograms(live, program)
        case _, Places():
            live.loaded = program
    return live
