"""One run of a program in the kernel on input of the caller's: attached to nothing, seen by nobody.

``skep.run`` compiles, loads, runs by BPF_PROG_TEST_RUN, and takes the program and its maps away again; what it leaves
is a ``Result``, a value. For tests, and to see what a program does to a packet.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skep.lang.capture import declarations
from skep.lang.maps import Declaration, Ring
from skep.lang.programs import Program
from skep.lang.struct import Struct
from skep.lang.types import s32
from skep.program.live import Live, load
from skep.program.machine import Machine
from skep.program.plainly import plainly


@dataclass(frozen=True, slots=True)
class Result:
    """What a run left: the verdict, the packet, the context's bytes, and by declaration each map's content.

    A map's content is a dict (of a per-CPU map with lists), a ring's the list of its records.
    """

    verdict: int
    packet: bytes
    context: bytes
    maps: Mapping[Declaration, Any]


@plainly
def run(
    program: Program,
    given: bytes | Sequence[int],
    *,
    context: bytes = b"",
    maps: Mapping[Declaration, Mapping[Any, Any]] | None = None,
    machine: Machine | None = None,
) -> Result:
    """Run ``program`` once in the kernel on ``given``: a packet, or else the context.

    A packet has at least 14 bytes, its Ethernet header; ``context`` may go with it, in the layout of the kernel's
    struct. The context of a raw_tp program is its arguments, as integers. ``maps`` is what maps hold before the run.
    Needs root. KernelError [ENOTSUPP] for a kind that the kernel runs only where it is attached (tp_btf, tracepoint,
    perf_event, cgroup connect); the errors of ``load`` otherwise.
    """
    data = given if isinstance(given, bytes | bytearray) else struct.pack(f"<{len(given)}Q", *given)
    packet = bytes(data) if program.kind.packet else b""
    with load(program, machine=machine, attach=False) as live:
        for declared, content in (maps or {}).items():
            for key, value in content.items():
                live[declared][key] = value
        done = live.programs[program.name].test_run(packet, context if packet else bytes(data))
        contents = {d: _content(live, d) for _, d in declarations(program.function)}
    return Result(s32.wrap(done.retval), done.data, done.ctx, contents)


def _content(live: Live, declared: Declaration) -> dict[Any, Any] | list[Struct]:
    return (
        list(live[declared].poll()) if isinstance(declared, Ring) else dict(live[declared].items())
    )
