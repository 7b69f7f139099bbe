"""The live maps of declarations, and what a user sees of each: ``live[map]``.

A map is made when the first program that uses it is loaded, or found by its pin. All are closed together; pinned ones
stay in the kernel.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

from skep.base.config import environment
from skep.base.errors import BadInput
from skep.base.lazy import lazy
from skep.base.paths import DEFAULT_INSTANCE, instance_paths
from skep.kernel.classes import class_of
from skep.kernel.commands import Layout
from skep.kernel.elements import Elements
from skep.kernel.handle import Handle
from skep.kernel.pins import Pins
from skep.kernel.rings import RingReader
from skep.lang.exact import exact
from skep.lang.maps import Declaration, Global, Ring
from skep.lang.programs import Program
from skep.lang.spec import MapSpec, MapType
from skep.lang.struct import Struct
from skep.program.live_ring import LiveRing, LiveVariableRing

# What few programs need.
pinned = lazy("skep.kernel.pinned")
variables = lazy("skep.kernel.variables")
faces = lazy("skep.program.faces")

FACED = frozenset(
    {
        MapType.PERF_EVENT_ARRAY,
        MapType.USER_RINGBUF,
        MapType.ARENA,
        MapType.PROG_ARRAY,
        MapType.DEVMAP,
        MapType.DEVMAP_HASH,
        MapType.CPUMAP,
    }
)
"""Types whose maps are seen as something else than what ``kernel`` has."""

Initial = Mapping[Global, Struct]
"""First values of Globals, in place of those of their declarations."""

Face = Any
"""What ``live[map]`` is: a Map, a LiveRing, a LiveGlobal, ..."""


def pins_of(directory: str | None) -> Pins | None:
    """Where maps are pinned: ``directory``, "" the instance's, None: nowhere."""
    if directory is None:
        return None
    if directory:
        return Pins(directory)
    known = environment()
    return Pins(instance_paths(known.instance or DEFAULT_INSTANCE, known.cache).pins)


class LiveMaps:
    """Live maps by declaration. ``program`` gives the live program of one that was loaded."""

    def __init__(
        self,
        program: Callable[[Program], Any],
        pins: Pins | None = None,
        initial: Initial | None = None,
    ) -> None:
        self._program, self._pins = program, pins
        self._initial = {id(declared): value for declared, value in (initial or {}).items()}
        self._maps: dict[int, Handle] = {}
        self._faces: dict[int, Face] = {}
        self._declared: dict[int, Declaration] = {}
        self._stack = ExitStack()

    def make(self, declared: Declaration, spec: MapSpec, layout: Layout | None = None) -> Handle:
        """The live map of a declaration, made at first. Conflict where its pin is another map.

        ``layout`` are its types where it shares them with programs; such maps are not pinned.
        """
        if declared not in self:
            live = self._made(declared, spec, layout)
            self.adopt(declared, live)
            if isinstance(declared, Global):
                self._fill(live, declared)
        return self._maps[id(declared)]

    def adopt(self, declared: Declaration, live: Handle) -> None:
        """Take a live map for that of a declaration; it is closed with the others."""
        self._stack.callback(live.close)
        self._maps[id(declared)], self._declared[id(declared)] = live, declared

    def __contains__(self, declared: Declaration) -> bool:
        return id(declared) in self._maps

    def _made(self, declared: Declaration, spec: MapSpec, layout: Layout | None) -> Handle:
        kind = class_of(spec.type)
        if layout is not None:
            return kind.create(spec, layout=layout)
        if not spec.pin or self._pins is None:
            return kind.create(spec)
        self._pins.ensure()
        held: Handle = pinned.hold(kind, spec, self._pins.path(spec.pin), declared.migrate)
        return held

    def _fill(self, live: Handle, declared: Global) -> None:
        """A Global's first value. One that was pinned keeps what it has."""
        value = self._initial.get(id(declared), declared.initial)
        if value is not None:
            _put(live, exact(declared.value, value, f"{live.spec.name}: initial"))
        if declared.constant:
            live.freeze()

    def face(self, declared: Declaration) -> Face:
        """What a user sees of a map. KeyError where no loaded program uses it."""
        key = id(declared)
        if declared not in self:
            if not isinstance(declared, Declaration):
                raise KeyError(f"live[...] takes a map as it was declared, not {declared!r}")
            raise KeyError(f"no program that is loaded here uses this {type(declared).__name__}")
        if key not in self._faces:
            self._faces[key] = self._face(declared, self._maps[key])
        return self._faces[key]

    def _face(self, declared: Declaration, live: Handle) -> Face:
        if isinstance(declared, Ring):
            state = self._maps[id(declared.state)]
            reader = RingReader.of(live, state, declared.records, tails=declared.tails)
            self._stack.callback(reader.close)
            return (LiveVariableRing if declared.tails else LiveRing)(declared, reader)
        if live.spec.type in FACED:
            return faces.face(declared, live, self._stack, self._live_program)
        if isinstance(declared, Global):
            return variables.LiveGlobal(live, constant=declared.constant)
        return live

    def _live_program(self, program: Any) -> Any:  # noqa: ANN401 - a Program, or a live one
        return self._program(program) if isinstance(program, Program) else program

    def unpin(self, declared: Declaration) -> bool:
        """Take a map's pin away: it goes with its last holder. Whether there was one."""
        state = [declared.state] if isinstance(declared, Ring) else []
        pinned_at = [one.pin for one in (declared, *state) if one.pin]
        gone = [self._pins.remove(pin) for pin in pinned_at] if self._pins else []
        return any(gone)

    def unused(self) -> None:
        """Refuse first values of what no program uses."""
        for key in self._initial:
            if key not in self._maps:
                problem = "this value is for a Global that no program here uses"
                raise BadInput("initial", problem, "leave it out, or load the program")

    def __iter__(self) -> Iterator[Handle]:
        return iter(self._maps.values())

    def close(self) -> None:
        """Frees everything that is not pinned."""
        self._stack.close()
        self._maps, self._faces = {}, {}


def _put(live: Handle, raw: bytes) -> None:
    """Write a first value, unless somebody wrote before: what is pinned goes on."""
    if isinstance(live, Elements) and not any(live.lookup(bytes(4)) or b""):
        live.put(bytes(4), raw)
    if live.spec.type is MapType.ARENA and not any(live.memory()[: len(raw)]):
        live.memory()[: len(raw)] = raw
