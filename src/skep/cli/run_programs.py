"""Loading a file's programs for it: each to its place, the events of their rings to the output, maps at the end."""

import json
import select
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TextIO

from skep.base import exits
from skep.base.clock import rfc3339, wall_offset_ns
from skep.base.errors import BadInput
from skep.cli import terminal
from skep.cli.ending import Ending
from skep.cli.terminal import safe
from skep.lang.capture import declarations
from skep.lang.declared.nested import INNER
from skep.lang.maps import Declaration, Ring
from skep.lang.programs import Program
from skep.lang.spec import Hook
from skep.lang.struct import Struct
from skep.lang.struct_ops import StructOps
from skep.program.live import Live, load
from skep.program.live_ring import LiveRing

OF_PROCESSES = frozenset({Hook.PERF_EVENT, Hook.UPROBE, Hook.UPROBE_MULTI, Hook.USDT})
OF_NAMESPACES = frozenset({Hook.NETNS, Hook.NETFILTER})
SHOWN = 20
SILENT_MS = 100
HEADER = frozenset({"time", "seq", "cpu", "kind", "flags"})
SHOWN_MAPS = INNER


@dataclass(frozen=True, slots=True)
class Place:
    """Where programs go whose place only the user knows."""

    device: str = ""
    netns: str = ""
    cgroup: str = ""
    pid: int = -1


@dataclass(frozen=True, slots=True)
class Loads:
    """What a file has loaded: its programs, and the function tables that hold some of them."""

    programs: list[Program]
    tables: list[StructOps]

    @property
    def alone(self) -> list[Program]:
        """The programs that are in no table."""
        held = [program for table in self.tables for program in table.programs]
        return [program for program in self.programs if program not in held]


def run_programs(loads: Loads, place: Place, seconds: float | None, *, as_json: bool) -> int:
    """Load and attach programs, print their events until the end, then their maps."""
    programs = loads.programs
    with Ending(seconds) as ending, load(*loads.alone, *loads.tables, attach=False) as live:
        for program in loads.alone:
            _attach(live, program, place)
        for table in loads.tables:
            live.register(table)
        declared = {
            one: name for program in programs for name, one in declarations(program.function)
        }
        rings = [live[one] for one in declared if isinstance(one, Ring)]
        print(f"attached {', '.join(program.name for program in programs)}", file=sys.stderr)
        _read(live, programs, sys.stderr if as_json else sys.stdout)
        for event in _events(rings, ending):
            print(_json(event) if as_json else _text(event), flush=True)
        if not as_json:
            _show_maps(live, declared)
    return exits.INTERRUPTED if ending.signal > 0 else exits.DONE


def _attach(live: Live, program: Program, place: Place) -> None:
    hook = program.kind.hook
    if hook in (Hook.XDP, Hook.TCX):
        if not place.device:
            raise BadInput("--device", f"{program.name} is for packets of a device", "name it")
        live.attach(program, place.device, netns=place.netns)
    elif hook is Hook.CGROUP:
        if not place.cgroup:
            raise BadInput("--cgroup", f"{program.name} is for a cgroup", "name its directory")
        live.attach(program, place.cgroup)
    elif hook in OF_PROCESSES:
        live.attach(program, pid=place.pid)
    elif hook in OF_NAMESPACES:
        live.attach(program, netns=place.netns)
    else:
        live.attach(program)


def _read(live: Live, programs: list[Program], out: TextIO) -> None:
    """Run each iterator once over its objects; what it writes is text of the program's."""
    for program in programs:
        if program.kind.hook is Hook.ITERATOR:
            for line in live.read(program).decode("utf-8", "replace").splitlines():
                print(safe(line), file=out, flush=True)


def _events(rings: list[LiveRing], ending: Ending) -> Iterator[Struct]:
    """The events of all rings as they come, until the end."""
    poll = select.poll()
    poll.register(ending.fd, select.POLLIN)
    for ring in rings:
        poll.register(ring.reader.fileno(), select.POLLIN)
    patience = None if all(ring.ring.wakeup == "doorbell" for ring in rings) else SILENT_MS
    while not ending.come:
        for ring in rings:
            ring.reader.arm()
        found = False
        for ring in rings:
            for event in ring.poll():
                found = True
                yield event
        if not found:
            poll.poll(patience)


def _fields(event: Struct) -> Iterable[tuple[str, Any]]:
    return ((name, value) for name, value in event if name not in HEADER)


def _json(event: Struct) -> str:
    head: dict[str, Any] = {}
    if hasattr(event, "time"):
        head["time"] = rfc3339(event.time + wall_offset_ns())
    head["kind"] = getattr(type(event), "kind_name", type(event).__name__)
    with suppress(AttributeError):
        head["seq"] = event.seq  # type: ignore[attr-defined]
    return json.dumps(head | dict(_fields(event)), default=dict)


def _text(event: Struct) -> str:
    kind = getattr(type(event), "kind_name", type(event).__name__)
    return safe(f"{kind} " + " ".join(f"{name}={value}" for name, value in _fields(event)))


def _show_maps(live: Live, declared: dict[Declaration, str]) -> None:
    """The first entries of each map that is not a ring's, the largest numbers first."""
    for one, name in declared.items():
        if one.type not in SHOWN_MAPS or isinstance(one, Ring):
            continue
        entries = sorted(live[one].items(), key=_size, reverse=True)
        print(terminal.of(sys.stdout).style(f"{name}:", "bold"))
        for key, value in entries[:SHOWN]:
            print(safe(f"  {key}: {value}"))
        if len(entries) > SHOWN:
            print(f"  and {len(entries) - SHOWN} more")


def _size(entry: tuple[Any, Any]) -> int:
    value = entry[1]
    if isinstance(value, list):
        return sum(part for part in value if isinstance(part, int))
    return value if isinstance(value, int) else 0
