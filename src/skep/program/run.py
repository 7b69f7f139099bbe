"""One run of a program in the kernel on input of the caller's: attached to nothing, seen by nobody.

``skep.run`` compiles, loads, runs by BPF_PROG_TEST_RUN, and takes the program and its maps away again; what it leaves
is a ``Result``, a value. For tests, and to see what a program does to a packet.
"""

import struct
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

from skep.kernel.maps import Map
from skep.kernel.nested import MapOfMaps
from skep.kernel.queues import Bloom, Queue
from skep.kernel.redirects import Unreadable
from skep.kernel.user_rings import UserRing
from skep.kernel.variables import LiveGlobal, Variables
from skep.lang.capture import declarations
from skep.lang.maps import Declaration
from skep.lang.programs import Program
from skep.lang.struct import Struct
from skep.lang.types import s32
from skep.program.live import load
from skep.program.live_maps import Face
from skep.program.live_perf import LivePerfBuffer
from skep.program.live_programs import LivePrograms
from skep.program.live_ring import LiveRing
from skep.program.machine import Machine
from skep.program.plainly import plainly


@dataclass(frozen=True, slots=True)
class Result:
    """What a run left: the verdict, the packet, the context's bytes, and by declaration each map's content.

    A map's content is a dict (of a per-CPU map with lists), a ring's the list of its records, a queue's or stack's the
    list of its values; None where it cannot be read (a bloom filter, a user ring, AF_XDP sockets, cgroups).
    """

    verdict: int
    packet: bytes
    context: bytes
    maps: Mapping[Declaration, Any]


@plainly
def run(
    program: Program,
    given: bytes | Sequence[int] | Struct,
    *,
    context: bytes = b"",
    maps: Mapping[Any, Any] | None = None,
    machine: Machine | None = None,
) -> Result:
    """Run ``program`` once in the kernel on ``given``: a packet, or else the context.

    A packet has at least 14 bytes, its Ethernet header; ``context`` may go with it, in the layout of the kernel's
    struct. The context of a raw_tp program is its arguments, as integers, that of a syscall program its Struct, whose
    bytes the result has as it was left. ``maps`` is what maps hold before the run.
    Needs root. KernelError [ENOTSUPP] for a kind that the kernel runs only where it is attached (tp_btf, tracepoint,
    perf_event, cgroup connect); the errors of ``load`` otherwise.
    """
    data = _bytes(given)
    packet = data if program.kind.packet or program.kind.feeds else b""
    with load(program, machine=machine, attach=False, pins=None) as live:
        for declared, content in (maps or {}).items():
            _fill(live[declared], content)
        done = live.programs[program.name].test_run(packet, context if packet else data)
        contents = {d: _content(live[d]) for _, d in declarations(program.function)}
    return Result(s32.wrap(done.retval), done.data, done.ctx, contents)


def _fill(face: Face, content: Any) -> None:  # noqa: ANN401 - as the map's type wants it
    """What a map holds before the run: a dict, or the values of what has no keys."""
    if isinstance(face, Queue | Bloom | UserRing):
        for value in content:
            face.add(value) if isinstance(face, Bloom) else face.push(value)
        return
    for key, value in content.items():
        face[key] = value


def _bytes(given: bytes | Sequence[int] | Struct) -> bytes:
    if isinstance(given, Struct):
        return given.to_bytes()
    if isinstance(given, bytes | bytearray):
        return bytes(given)
    return struct.pack(f"<{len(given)}Q", *given)


def _content(face: Face) -> Any:  # noqa: ANN401 - as the map's type has it
    match face:
        case Unreadable():
            return None
        case LiveRing() | LivePerfBuffer():
            return list(face.poll())
        case Queue():
            return list(face)
        case LivePrograms():
            return {index: face[index] for index in face}
        case MapOfMaps():
            return {key: dict(inner.items()) for key, inner in face.items()}
        case Map() | LiveGlobal():
            return dict(face.items())
        case Variables():
            return {0: copy(face)}
    return None
