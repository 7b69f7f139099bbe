"""Live programs: what ``skep.load`` gives. Leaving the ``with`` block detaches everything and frees the maps."""

import warnings
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Self, overload

from skep.base.config import environment
from skep.base.errors import BadInput
from skep.base.lazy import lazy
from skep.kernel import links, maps, programs
from skep.kernel.classes import class_of
from skep.kernel.handle import Handle
from skep.kernel.pins import Pins
from skep.kernel.place import HasFileno, Place
from skep.lang.finish import Compiled
from skep.lang.maps import Declaration, Global, Ring
from skep.lang.objects import links as links_objects
from skep.lang.objects import objects_of
from skep.lang.programs import Program
from skep.lang.spec import Hook, MapSpec
from skep.lang.struct_ops import StructOps
from skep.program.interruption import untimed
from skep.program.live_maps import Face, Initial, LiveMaps, pins_of
from skep.program.live_ring import LiveRing, LiveVariableRing
from skep.program.machine import Machine
from skep.program.objects import compiled
from skep.program.plainly import plainly

shared_types = lazy("skep.kernel.shared_types")  # only objects need them

if TYPE_CHECKING:
    from skep.kernel.dispatch.chain import ChainLink
    from skep.kernel.dispatch.owner import Dispatcher
    from skep.kernel.nested import MapOfMaps
    from skep.kernel.queues import Bloom, Queue
    from skep.kernel.shared_types import SharedTypes
    from skep.kernel.storages import Storage
    from skep.kernel.user_rings import UserRing
    from skep.kernel.variables import LiveGlobal, Variables
    from skep.lang.declared import nested, streams
    from skep.lang.declared import queues as declared_queues
    from skep.lang.declared import storage as declared_storage
    from skep.lang.declared.arena import Arena
    from skep.program.live_perf import LivePerfBuffer
    from skep.program.live_programs import LivePrograms
    from skep.program.results import Contents, Input, Result

dispatched = lazy("skep.program.dispatched")  # only programs that share a hook need it
results = lazy("skep.program.results")  # only runs on given input need it
struct_ops = lazy("skep.kernel.struct_ops")  # few programs need it
probing = lazy("skep.kernel.probing")  # as above
prints = lazy("skep.program.prints")  # only tracing needs it


class Live:
    """Loaded programs, their maps and links. ``live[ring]`` is iterated, ``live[map]`` is used like a dict."""

    def __init__(
        self,
        machine: Machine,
        pins: Pins | None = None,
        initial: Initial | None = None,
        dispatcher: "Dispatcher | None" = None,
    ) -> None:
        self._machine, self._dispatcher = machine, dispatcher
        self._stack = ExitStack()
        self._maps = LiveMaps(self._loaded, pins, initial)
        self._stack.callback(self._maps.close)
        self.programs: dict[str, programs.Program] = {}
        self.links: dict[str, list[links.AnyLink | ChainLink]] = {}
        self._made: dict[str, Compiled] = {}
        self._types: list[SharedTypes] = []
        self._linked: dict[int, SharedTypes] = {}
        self._names: dict[int, str] = {}

    # --- making ---------------------------------------------------------------------------------------------------

    def add(self, program: Program, made: Compiled) -> programs.Program:
        """Create the maps that are missing and load one program. VerifierError, Unsupported, Forbidden.

        A second program of one name (a function on two hooks) is ``programs["name.1"]``. BadInput where it has lists or
        trees in maps that are here already, and more than these know: to the kernel, their types never change.
        """
        if links_objects(made.spec) and self._types_of(made) is None:
            made = self._told(program, made)
        loaded = self._load(program, made)
        same = sum(name.partition(".")[0] == program.name for name in self.programs)
        name = f"{program.name}.{same}" if same else program.name
        self.programs[name] = loaded
        self._names[id(program)] = name
        self._made[name] = made
        return loaded

    def share(self, made: Sequence[Compiled]) -> list[Compiled]:
        """The same programs; those that link objects have their types in common with each other, and with their maps.

        They are loaded after one call of this.
        """
        linking = [one for one in made if links_objects(one.spec)]
        if not linking:
            return list(made)
        types = shared_types.SharedTypes.make([one.spec for one in linking])
        self._types.append(types)
        self._stack.callback(types.close)
        specs = {id(one): spec for one, spec in zip(linking, types.specs, strict=True)}
        return [replace(one, spec=specs.get(id(one), one.spec)) for one in made]

    def _types_of(self, made: Compiled) -> "SharedTypes | None":
        """The types that a program shares with its maps; None where it links nothing, or has not been told of yet."""
        own = (one for one in self._types if any(made.spec is spec for spec in one.specs))
        return next(own, None)

    def _told(self, program: Program, made: Compiled) -> Compiled:
        """A program that links objects, and came later: with types of its own, or with those of maps that are here.

        BadInput where it would link what the programs of these maps know nothing of.
        """
        known = [one for one in made.maps if objects_of(one.value) and one in self._maps]
        if not known:
            return self.share([made])[0]
        types = self._linked[id(known[0])]
        same = all(self._linked[id(one)] is types for one in known)
        spec = types.join(made.spec) if same else None
        if spec is None:
            problem = (
                "it uses lists or trees of programs that were loaded before, and has a global "
                "function, or links objects or uses lists that those do not"
            )
            raise BadInput(
                program.name, problem, "load it by skep.load, with all that use its maps"
            )
        return replace(made, spec=spec)

    def _load(self, program: Program, made: Compiled) -> programs.Program:
        held, types = [], self._types_of(made)
        for index, (declared, spec) in enumerate(zip(made.maps, made.spec.maps, strict=True)):
            own = index == made.spec.next
            held.append(self._create(spec) if own else self._map(declared, spec, types))
        onto = self._loaded(program.onto) if program.onto else None
        many = made.spec.kind.hook is Hook.KPROBE_MULTI
        wanted = probing.singly(made.spec) if many else made.spec
        fd, functions = (types.fd, types.functions(made.spec)) if types else (0, b"")
        loaded = programs.Program.load(
            wanted, held, self._machine.btf, onto=onto, types=fd, functions=functions
        )
        self._stack.callback(loaded.close)
        return loaded

    def _create(self, spec: MapSpec) -> Handle:
        live: Handle = class_of(spec.type).create(spec)
        self._stack.callback(live.close)
        return live

    def check_initial(self) -> None:
        """Refuse first values of Globals that no program uses. BadInput."""
        self._maps.unused()

    @property
    def prints(self) -> tuple[str, ...]:
        """The formats of the lines that the programs print, as ``kernel.printed.Printed`` takes them."""
        return tuple(dict.fromkeys(one for made in self._made.values() for one in made.spec.prints))

    def trace(self) -> None:
        """Show what the programs print on the error output. Unsupported where the kernel gives no trace of its own."""
        self._stack.callback(prints.Shown(self.prints).close)

    def map(self, declared: Declaration, spec: MapSpec) -> Handle:
        """The live map of a declaration, made at first."""
        return self._map(declared, spec, None)

    def _map(self, declared: Declaration, spec: MapSpec, types: "SharedTypes | None") -> Handle:
        layout = types.layout(spec) if types else None
        if types and layout and declared not in self._maps:
            self._linked[id(declared)] = types
        return self._maps.make(declared, spec, layout)

    def attach(
        self,
        program: Program,
        target: str | int | Declaration | HasFileno = "",
        *,
        netns: str = "",
        mode: str = "",
        pid: int = -1,
        cookie: int = 0,
    ) -> "links.AnyLink | ChainLink":
        """Attach a loaded program; closing the link, or this object, detaches it.

        ``target`` is where: a device (name or index) for XDP and tc, a cgroup's directory for its programs, a socket
        (or its descriptor), the declaration of a map of sockets or of the map that an iterator goes over, a place in
        a binary ("libc:malloc"), a route ("10.9.0.0/24 dev veth0") for lwt; ``netns`` the file of the namespace that
        it lies in. ``mode`` of XDP is "native", "generic" or the better one, of tc "clsact" or the better one, of an
        iterator over cgroups "self", "down", "down_after" or "up". ``pid`` narrows sampling, probes of binaries and
        iterators over tasks to a process. ``cookie`` is what ``get_attach_cookie()`` gives there. A program that shares
        a hook (``@xdp(order=...)``, ``@syscall``) is put there by the dispatcher. BadInput where the program was not
        loaded here; Conflict where the place is taken.
        """
        where = self[target].fd if isinstance(target, Declaration) else target
        if not isinstance(where, str | int):
            where = where.fileno()
        loaded = self._loaded(program)
        link: links.AnyLink | ChainLink
        if program.chain is not None or program.kind.hook is Hook.SYSCALL:
            place = Place(where, netns, mode=mode)
            free = self._free(program, loaded)
            link = dispatched.attach(free, place, self.dispatcher, self._machine)
        else:
            link = links.attach(loaded, where, netns=netns, mode=mode, pid=pid, cookie=cookie)
        self._stack.callback(link.close)
        self.links.setdefault(self._names[id(program)], []).append(link)
        return link

    @property
    def dispatcher(self) -> "Dispatcher":
        """The owner of the hooks that programs share; its own, where none was given."""
        if self._dispatcher is None:
            self._dispatcher = dispatched.Dispatcher()
        return self._dispatcher

    def _free(self, program: Program, loaded: programs.Program) -> programs.Program:
        """The loaded program; another one of the same code where it is in a chain, for it goes on to one program."""
        name = self._names[id(program)]
        made = self._made[name]
        used = made.spec.next is not None and any(one.fd >= 0 for one in self.links.get(name, ()))
        return self._load(program, made) if used else loaded

    def register(self, ops: StructOps) -> links.AnyLink:
        """Register a function table whose programs were loaded; closing the link, or this object, takes it back."""
        members = {
            name: self._loaded(value) if isinstance(value, Program) else value
            for name, value in ops.members.items()
        }
        link: links.AnyLink = struct_ops.register(ops.ops, members, self._machine.btf)
        self._stack.callback(link.close)
        self.links.setdefault(ops.ops, []).append(link)
        return link

    def unpin(self, declared: Declaration) -> bool:
        """Take the pin of a map away, so that it ends with its last program and holder; whether there was one."""
        return self._maps.unpin(declared)

    def _loaded(self, program: Program) -> programs.Program:
        """The loaded form of a program. BadInput where it was not loaded here."""
        name = self._names.get(id(program))
        if name is None:
            raise BadInput(
                program.name, "this program was not loaded here", "pass it to skep.load(...)"
            )
        return self.programs[name]

    # --- using ----------------------------------------------------------------------------------------------------

    @overload
    def __getitem__(self, declared: "streams.VariableRing") -> LiveVariableRing: ...  # type: ignore[overload-overlap]
    @overload
    def __getitem__(self, declared: Ring) -> LiveRing: ...  # type: ignore[overload-overlap]  # a ring is no dict
    @overload
    def __getitem__(self, declared: "Arena") -> "Variables": ...  # type: ignore[overload-overlap]
    @overload
    def __getitem__(self, declared: Global) -> "LiveGlobal": ...  # type: ignore[overload-overlap]  # nor are these
    @overload
    def __getitem__(self, declared: "declared_queues.Queue") -> "Queue": ...  # type: ignore[overload-overlap]
    @overload
    def __getitem__(self, declared: "declared_queues.Bloom") -> "Bloom": ...  # type: ignore[overload-overlap]
    @overload
    def __getitem__(self, declared: "nested.ProgArray") -> "LivePrograms": ...  # type: ignore[overload-overlap]
    @overload
    def __getitem__(self, declared: "declared_storage.Storage") -> "Storage": ...  # type: ignore[overload-overlap]
    @overload
    def __getitem__(self, declared: "streams.PerfBuffer") -> "LivePerfBuffer": ...  # type: ignore[overload-overlap]
    @overload
    def __getitem__(self, declared: "streams.UserRing") -> "UserRing": ...  # type: ignore[overload-overlap]
    @overload
    def __getitem__(self, declared: "nested.ArrayOfMaps") -> "MapOfMaps": ...
    @overload
    def __getitem__(self, declared: Declaration) -> maps.Map: ...
    def __getitem__(self, declared: Declaration) -> Face:
        """The live ring or map of a declaration. KeyError where no loaded program uses it."""
        return self._maps.face(declared)

    def name(self, program: Program) -> str:
        """The key of a loaded program in ``programs`` and ``links``: of its last load, where there were several."""
        return self._names[id(program)]

    def run(
        self,
        program: Program,
        given: "Input",
        *,
        context: bytes = b"",
        maps: "Contents | None" = None,
    ) -> "Result":
        """Run a loaded program once on ``given``, as ``skep.run`` does; its maps stay as they are for the next run.

        ``maps`` is what some of them get before. BadInput where the program was not loaded here.
        """
        self._loaded(program)
        made: Result = results.run(self, program, given, context, maps or {})
        return made

    def read(self, program: Program) -> bytes:
        """What an iterator program writes in one run over its objects."""
        link = next(iter(self.links.get(self._names.get(id(program), ""), ())), None)
        if program.kind.hook is not Hook.ITERATOR or not isinstance(link, links.Link):
            expected = "declare it with @skep.iterator, and attach it"
            raise BadInput(program.name, "only an iterator can be read", expected)
        return link.read()

    @property
    def maps(self) -> Iterable[Handle]:
        """All live maps."""
        return self._maps

    def close(self) -> None:
        """Detach and free everything."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _programs(given: Program | StructOps) -> tuple[Program, ...]:
    return given.programs if isinstance(given, StructOps) else (given,)


def _depth(program: Program) -> int:
    """How many programs it stands upon, which are loaded before it."""
    return 0 if program.onto is None else 1 + _depth(program.onto)


@plainly
def load(
    *wanted: Program | StructOps,
    machine: Machine | None = None,
    attach: bool = True,
    initial: Initial | None = None,
    pins: str | None = "",
    dispatcher: "Dispatcher | None" = None,
) -> Live:
    """Compile, load and attach programs: ``with skep.load(on_exec) as live: for event in live[ring]: ...``.

    Programs whose place only the caller knows (XDP, tc, cgroup) are loaded; ``live.attach`` attaches them.
    CompileError at what is outside the language, VerifierError where the kernel refuses, Unsupported where it lacks
    something, Forbidden without the privilege, Conflict where a pin has another layout. When it raises, nothing is left
    behind but pins. ``initial`` gives Globals their first values. ``pins`` is the directory of pinned maps, "" that of
    the instance (SKEP_INSTANCE), None: nothing is pinned. Loads that are given one ``dispatcher`` share devices and the
    hook of all system calls. With SKEP_TRACE what the programs print is shown on the error output.
    """
    if not wanted or not all(isinstance(program, Program | StructOps) for program in wanted):
        raise TypeError(
            "skep.load takes programs: functions decorated with skep.tp_btf, skep.xdp, ..."
        )
    host = machine or Machine()
    programs = sorted((one for given in wanted for one in _programs(given)), key=_depth)
    live = Live(host, pins_of(pins), initial, dispatcher)
    shared = any(program.kind.hook is Hook.SYSCALL for program in programs)
    with untimed():
        forms = dispatched.forms(programs, live.dispatcher, host) if shared else programs
        made = compiled(forms, host)
    for refusal in host.refusals:
        warnings.warn(f"{refusal}; programs are compiled anew", RuntimeWarning, stacklevel=3)
    try:
        with untimed():
            for program, one in zip(programs, live.share(made), strict=True):
                live.add(program, one)
        live.check_initial()
        if environment().trace:
            live.trace()
        for given in wanted if attach else ():
            if isinstance(given, StructOps):
                live.register(given)
            elif given.by_itself:
                live.attach(given)
    except BaseException:
        live.close()
        raise
    return live
