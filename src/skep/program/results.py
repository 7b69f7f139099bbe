"""One run of a loaded program on input of the caller's, and what it leaves: a ``Result``, a value.

The kernel runs the program by BPF_PROG_TEST_RUN; nothing is attached. Reading takes the events out of rings, and leaves
all other maps as they are.
"""

import errno
import struct
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any

from skep.base.errors import BadInput, KernelError, Unsupported
from skep.base.frozen import frozen
from skep.btf.reader import Btf
from skep.kernel.commands import Run
from skep.kernel.maps import Map
from skep.kernel.nested import MapOfMaps
from skep.kernel.programs import Program as Loaded
from skep.kernel.queues import Queue
from skep.kernel.redirects import Unreadable
from skep.kernel.refusal import ENOTSUPP
from skep.kernel.variables import LiveGlobal, Variables
from skep.lang.capture import declarations
from skep.lang.declared.filling import fill
from skep.lang.maps import Declaration, Ring
from skep.lang.plain.packets import Packet
from skep.lang.programs import Program
from skep.lang.spec import MapType
from skep.lang.struct import Struct
from skep.lang.types import s32
from skep.program.contexts import TAKEN, context_of, fields_of, told_bytes
from skep.program.live_maps import Face
from skep.program.live_perf import LivePerfBuffer
from skep.program.live_programs import LivePrograms
from skep.program.live_ring import EventSource

if TYPE_CHECKING:
    from skep.program.live import Live

ETHERNET = 14
NOT_RUN = (ENOTSUPP, errno.EFAULT)
"""What the kernel answers where it has no test run of a kind."""

Input = bytes | Packet | Sequence[int] | Struct
"""A packet, alone or with fields beside it, or a context: as bytes, as the arguments of a raw_tp program, or as the
Struct of a syscall program."""

Contents = Mapping[Any, Any]
"""What maps hold, by declaration; the key is Any, for a mapping takes only the very class that it names."""


@frozen
class Result:
    """What a run left: the verdict, the packet, the context's bytes, each map's content, and what of it changed.

    A map's content is a dict (of a per-CPU map with lists), a ring's the list of its records, a queue's or stack's the
    list of its values; None where it cannot be read (a bloom filter, a user ring, AF_XDP sockets, cgroups). ``changes``
    has the maps that changed: of a dict the keys whose value is another one than before, with None for those that are
    gone; of others the content. Of a run on a ``skep.Packet``, ``fields`` are those of the context that are not 0, and
    ``told`` is the metadata before the packet.
    """

    verdict: int
    packet: bytes
    context: bytes
    maps: Mapping[Declaration, Any]
    changes: Mapping[Declaration, Any]
    fields: Mapping[str, Any] = field(default_factory=dict)
    told: bytes = b""


def run(live: "Live", program: Program, given: Input, context: bytes, maps: Contents) -> Result:
    """Fill maps, run, and read them."""
    data = _bytes(given)
    packet = data if program.kind.packet or program.kind.feeds else b""
    if isinstance(given, Packet) and packet and not context:
        context = context_of(given, live.machine.btf, program.kind.struct)
    for declared, content in maps.items():
        fill(live[declared], declared, content)
    used = [declared for _, declared in declarations(program.function)]
    before = {declared: _content(live[declared], drain=False) for declared in used}
    done = _ran(live.programs[live.name(program)], program, packet, context if packet else data)
    after = {declared: _content(live[declared]) for declared in used}
    changed = {one: _changed(before[one], now) for one, now in after.items()}
    counts = [
        one.state for one in used if isinstance(one, Ring)
    ]  # what a ring counts is no map of the program's
    kept = {one: change for one, change in changed.items() if change and one not in counts}
    left = Result(s32.wrap(done.retval), done.data, done.ctx, after, kept)
    return _seen(left, program, live.machine.btf) if isinstance(given, Packet) else left


def _seen(left: Result, program: Program, btf: Btf) -> Result:
    """The same with the context's fields by name, and the packet without its metadata."""
    behind = told_bytes(left.context, btf, program.kind.struct)
    fields = fields_of(left.context, btf, program.kind.struct)
    return replace(left, packet=left.packet[behind:], told=left.packet[:behind], fields=fields)


def _ran(loaded: Loaded, program: Program, packet: bytes, context: bytes) -> Run:
    """ValueError for a packet that is too short, Unsupported for a kind that runs only where it is attached.

    BadInput where the kernel does not take the context's fields.
    """
    if 0 < len(packet) < ETHERNET:
        raise ValueError(
            f"a packet has at least the {ETHERNET} bytes of Ethernet, not {len(packet)}"
        )
    try:
        return loaded.test_run(packet, context)
    except KernelError as error:
        if error.errno == errno.EINVAL and any(context) and program.kind.struct in TAKEN:
            problem = "the kernel does not take all of the fields that the packet has"
            hint = f"it takes {TAKEN[program.kind.struct]}"
            raise BadInput(program.name, problem, hint) from error
        if error.errno not in NOT_RUN:
            raise
        what, why = (
            f"a test run of {program.kind.name} programs",
            "it runs them where they are attached",
        )
        instead = "live.attach(...), or plain Python: program.py(...)"
        raise Unsupported(what, why, instead=instead) from error


def _changed(before: Any, now: Any) -> Any:  # noqa: ANN401 - as the map's type has it
    if not isinstance(now, dict) or not isinstance(before, dict):
        return now if now != before else None
    keys = dict.fromkeys([*before, *now])
    return {key: now.get(key) for key in keys if before.get(key) != now.get(key)}


def _bytes(given: Input) -> bytes:
    if isinstance(given, Struct):
        return given.to_bytes()
    if isinstance(given, Packet):
        return bytes(given.told + given.bytes)
    if isinstance(given, bytes | bytearray):
        return bytes(given)
    if isinstance(given, Sequence) and all(isinstance(one, int) for one in given):
        return struct.pack(f"<{len(given)}Q", *given)
    raise TypeError(f"a run is given a packet as bytes, a skep.Packet or a Struct, not {given!r}")


def _content(face: Face, *, drain: bool = True) -> Any:  # noqa: ANN401 - as the map's type has it
    """What a map holds; without ``drain`` of a ring nothing, whose events can be read once."""
    match face:
        case Unreadable():
            return None
        case EventSource() | LivePerfBuffer():
            return list(face.poll()) if drain else []
        case Queue():
            return _queued(face)
        case LivePrograms():
            return {index: face[index] for index in face}
        case MapOfMaps():
            return {key: dict(inner.items()) for key, inner in face.items()}
        case Map() | LiveGlobal():
            return dict(face.items())
        case Variables():
            return {0: copy(face)}
    return None


def _queued(queue: Queue) -> list[Any]:
    """The values, in the order in which they come out. Each is taken out and put back."""
    values = list(queue)
    for value in reversed(values) if queue.spec.type is MapType.STACK else values:
        queue.push(value)
    return values
