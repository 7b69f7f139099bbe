"""One run of a loaded program on input of the caller's, and what it leaves: a ``Result``, a value.

The kernel runs the program by BPF_PROG_TEST_RUN; nothing is attached. Reading takes the events out of rings, and leaves
all other maps as they are.
"""

import struct
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from skep.kernel.maps import Map
from skep.kernel.nested import MapOfMaps
from skep.kernel.queues import Bloom, Queue
from skep.kernel.redirects import Unreadable
from skep.kernel.user_rings import UserRing
from skep.kernel.variables import LiveGlobal, Variables
from skep.lang.capture import declarations
from skep.lang.maps import Declaration, Ring
from skep.lang.programs import Program
from skep.lang.spec import MapType
from skep.lang.struct import Struct
from skep.lang.types import s32
from skep.program.live_maps import Face
from skep.program.live_perf import LivePerfBuffer
from skep.program.live_programs import LivePrograms
from skep.program.live_ring import EventSource

if TYPE_CHECKING:
    from skep.program.live import Live

Input = bytes | Sequence[int] | Struct
"""A packet, or a context: as bytes, as the arguments of a raw_tp program, or as the Struct of a syscall program."""

Contents = Mapping[Any, Any]
"""What maps hold, by declaration; the key is Any, for a mapping takes only the very class that it names."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a run left: the verdict, the packet, the context's bytes, each map's content, and what of it changed.

    A map's content is a dict (of a per-CPU map with lists), a ring's the list of its records, a queue's or stack's the
    list of its values; None where it cannot be read (a bloom filter, a user ring, AF_XDP sockets, cgroups). ``changes``
    has the maps that changed: of a dict the keys whose value is another one than before, with None for those that are
    gone; of others the content.
    """

    verdict: int
    packet: bytes
    context: bytes
    maps: Mapping[Declaration, Any]
    changes: Mapping[Declaration, Any]


def run(live: "Live", program: Program, given: Input, context: bytes, maps: Contents) -> Result:
    """Fill maps, run, and read them."""
    data = _bytes(given)
    packet = data if program.kind.packet or program.kind.feeds else b""
    for declared, content in maps.items():
        fill(live[declared], content)
    used = [declared for _, declared in declarations(program.function)]
    before = {declared: _content(live[declared], drain=False) for declared in used}
    loaded = live.programs[live.name(program)]
    done = loaded.test_run(packet, context if packet else data)
    after = {declared: _content(live[declared]) for declared in used}
    changed = {one: _changed(before[one], now) for one, now in after.items()}
    counts = [
        one.state for one in used if isinstance(one, Ring)
    ]  # what a ring counts is no map of the program's
    kept = {one: change for one, change in changed.items() if change and one not in counts}
    return Result(s32.wrap(done.retval), done.data, done.ctx, after, kept)


def _changed(before: Any, now: Any) -> Any:  # noqa: ANN401 - as the map's type has it
    if not isinstance(now, dict) or not isinstance(before, dict):
        return now if now != before else None
    keys = dict.fromkeys([*before, *now])
    return {key: now.get(key) for key in keys if before.get(key) != now.get(key)}


def fill(face: Face, content: Any) -> None:  # noqa: ANN401 - as the map's type wants it
    """What a map holds before the run: a dict, the value of a Global, or the values of what has no keys."""
    if isinstance(face, Queue | Bloom | UserRing):
        for value in content:
            face.add(value) if isinstance(face, Bloom) else face.push(value)
        return
    entries = {0: content} if isinstance(content, Struct) else content
    for key, value in entries.items():
        face[key] = value


def _bytes(given: Input) -> bytes:
    if isinstance(given, Struct):
        return given.to_bytes()
    if isinstance(given, bytes | bytearray):
        return bytes(given)
    return struct.pack(f"<{len(given)}Q", *given)


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
