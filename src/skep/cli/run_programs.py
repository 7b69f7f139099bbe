"""Loading a file's programs for it: each to its place, the events of their rings to the output, maps at the end."""

import json
import select
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO

from skep.base import exits
from skep.base.clock import rfc3339, wall_offset_ns
from skep.base.frozen import frozen
from skep.base.lazy import lazy
from skep.cli import run_maps
from skep.cli.ending import Ending
from skep.cli.run_places import Place, attach
from skep.cli.run_text import Shown, pairs, said
from skep.cli.run_turns import Turns, turn
from skep.cli.terminal import safe
from skep.lang.capture import declarations
from skep.lang.declared.streams import PerfBuffer
from skep.lang.maps import Declaration, Ring
from skep.lang.programs import Program
from skep.lang.spec import Hook
from skep.lang.struct import Struct
from skep.lang.struct_ops import StructOps
from skep.program.live import Live
from skep.program.live_ring import EventSource
from skep.program.load import load

if TYPE_CHECKING:
    from skep.kernel.printed import Printed
    from skep.program.live_perf import LivePerfBuffer

prints = lazy("skep.program.prints")  # only tracing needs it

SILENT_MS = 100
Event = Struct | tuple[Struct, bytes]
"""A record, or one with its tail."""
SAMPLE = "sample"
"""The kind of what a perf buffer without a Struct carries."""


@frozen
class Showing:
    """For how long what happens is shown, and how: as JSON, with what programs print, maps each ``every`` seconds."""

    seconds: float | None
    as_json: bool
    trace: bool
    every: float | None = None


@frozen
class Loads:
    """What a file has loaded: its programs, and the function tables that hold some of them."""

    programs: list[Program]
    tables: list[StructOps]

    @property
    def alone(self) -> list[Program]:
        """The programs that are in no table."""
        held = [program for table in self.tables for program in table.programs]
        return [program for program in self.programs if program not in held]


def run_programs(loads: Loads, place: Place, showing: Showing) -> int:
    """Load and attach programs, print their events until the end, then their maps."""
    programs, as_json = loads.programs, showing.as_json
    with (
        Ending() as ending,
        load(*loads.alone, *loads.tables, attach=False) as live,
        ExitStack() as stack,
    ):
        printed = stack.enter_context(prints.printed(live.prints)) if showing.trace else None
        declared = {
            one: name for program in programs for name, one in declarations(program.function)
        }
        rings: list[EventSource[Any]] = [live[one] for one in declared if isinstance(one, Ring)]
        buffers = [live[one] for one in declared if isinstance(one, PerfBuffer)]
        for program in loads.alone:
            attach(live, program, place)
        for table in loads.tables:
            live.register(table)
        ending.limit(showing.seconds)
        print(f"attached {', '.join(program.name for program in programs)}", file=sys.stderr)
        _read(live, programs, sys.stderr if as_json else sys.stdout)
        text = partial(_json if as_json else _text, live.shown)
        maps = partial(run_maps.lines, live, declared, as_json=as_json)
        turns = Turns(showing.every, partial(turn, maps, as_json=as_json))
        for line in _lines(rings, buffers, printed, ending, text, turns=turns, as_json=as_json):
            print(line, flush=True)
        _tell_losses(live, declared, printed)
        for line in maps():
            print(line)
    return exits.INTERRUPTED if ending.signal > 0 else exits.DONE


def _read(live: Live, programs: list[Program], out: TextIO) -> None:
    """Run each iterator once over its objects; what it writes is text of the program's."""
    for program in programs:
        if program.kind.hook is Hook.ITERATOR:
            for line in live.read(program).decode("utf-8", "replace").splitlines():
                print(safe(line), file=out, flush=True)


def _lines(
    rings: list[EventSource[Any]],
    buffers: "list[LivePerfBuffer]",
    printed: "Printed | None",
    ending: Ending,
    text: Callable[[Event | bytes], str],
    *,
    turns: Turns,
    as_json: bool,
) -> Iterator[str]:
    """The events of all rings and buffers, and what programs print, as they come, until the end."""
    sources: list[EventSource[Any] | LivePerfBuffer] = [*rings, *buffers]
    poll = select.poll()
    poll.register(ending.fd, select.POLLIN)
    if printed:
        poll.register(printed.fileno(), select.POLLIN)
    for source in sources:
        poll.register(source.reader.fileno(), select.POLLIN)
    patience = None if all(ring.ring.wakeup == "doorbell" for ring in rings) else SILENT_MS
    while not ending.come:
        for ring in rings:
            ring.reader.arm()
        found = False
        yield from turns.lines()
        for line in _printed(printed, as_json=as_json):
            found = True
            yield line
        for source in sources:
            for event in source.poll():
                found = True
                yield text(event)
        if not found:
            poll.poll(turns.patience(patience))
    yield from _printed(printed, as_json=as_json)


def _printed(printed: "Printed | None", *, as_json: bool) -> Iterator[str]:
    """The lines that were printed since, as they are shown."""
    if printed is not None:
        text = prints.json if as_json else prints.text
        yield from map(text, printed.poll())


def _tell_losses(live: Live, declared: Iterable[Declaration], printed: "Printed | None") -> None:
    """What was lost, on the error output."""
    for one in declared:
        if isinstance(one, Ring) and (lost := live[one].lost):
            print(f"{lost} events were lost: the ring was full", file=sys.stderr)
        if isinstance(one, PerfBuffer) and (lost := live[one].lost):
            print(f"{lost} samples were lost: the buffer of a CPU was full", file=sys.stderr)
    if printed and printed.lost:
        print(prints.told(printed.lost), file=sys.stderr)


def _apart(event: Event) -> tuple[Struct, dict[str, Any]]:
    """A record, and its tail as it is shown: text, or else hexadecimal."""
    if isinstance(event, Struct):
        return event, {}
    record, tail = event
    text = tail.rstrip(b"\0").decode("utf-8", "replace")
    readable = text.isprintable() and "\ufffd" not in text
    return record, {"tail": text if readable else tail.hex()}


def _json(shown: Shown, given: Event | bytes) -> str:
    head: dict[str, Any] = {}
    if isinstance(given, bytes):
        return json.dumps({"kind": SAMPLE, "data": given.hex()})
    event, tail = _apart(given)
    if hasattr(event, "time"):
        head["time"] = rfc3339(event.time + wall_offset_ns())
    head["kind"] = getattr(type(event), "kind_name", type(event).__name__)
    with suppress(AttributeError):
        head["seq"] = event.seq  # type: ignore[attr-defined]
    return json.dumps(head | dict(shown(event)) | tail)


def _text(shown: Shown, given: Event | bytes) -> str:
    if isinstance(given, bytes):
        return f"{SAMPLE} {given.hex()}"
    event, tail = _apart(given)
    kind = getattr(type(event), "kind_name", type(event).__name__)
    fields, below = said(shown, event)
    return "\n".join(map(safe, (" ".join((kind, fields, *pairs(tail))), *below)))
