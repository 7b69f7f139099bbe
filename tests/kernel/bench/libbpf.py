"""Objects that clang made, loaded by libbpf as their users load them, and seen through our maps, rings and links.

An ``Object`` is a context manager: what it loaded is gone with it. libbpf is reached through ctypes, which the product
never does: here it is the peer.
"""

import ctypes  # noqa: TID251 - the peer is a C library
import fcntl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from skep.kernel.classes import class_of
from skep.kernel.programs import Program as Loaded
from skep.lang.capture import declarations
from skep.lang.finish import Compiled
from skep.lang.maps import Ring
from skep.lang.programs import Program
from skep.program.live import Live
from skep.program.machine import Machine

NEEDED = ("libz.so.1", "libelf.so.1")
VERBOSE = 2
STATISTICS, ROOM = 4, 1 << 20
_PRINT = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)


class Refused(Exception):
    """libbpf, or the kernel, does not take an object: with what libbpf said."""


class Libbpf:
    """The library. ``said`` collects its warnings, of which the verifier's log is one."""

    def __init__(self, path: Path) -> None:
        for name in NEEDED:
            beside = path.with_name(name)
            ctypes.CDLL(str(beside) if beside.exists() else name, ctypes.RTLD_GLOBAL)
        self._c = ctypes.CDLL(None)
        self._library = ctypes.CDLL(str(path), use_errno=True)
        self.said: list[str] = []
        self._listener = _PRINT(self._listen)  # kept: the library calls it
        self.call("libbpf_set_print", self._listener)

    def call(self, name: str, *args: object, result: object = ctypes.c_int) -> Any:
        """Call a function of it; integers among ``args`` are pointers or sizes."""
        function = getattr(self._library, name)
        function.restype = result
        wide = (ctypes.c_void_p(a) if type(a) is int else a for a in args)
        return function(*wide)

    def _listen(self, level: int, form: bytes, args: int) -> int:
        if level < VERBOSE:
            text = ctypes.create_string_buffer(1 << 16)
            self._c.vsnprintf(text, ctypes.c_size_t(len(text)), form, ctypes.c_void_p(args))
            self.said.append(text.value.decode(errors="replace"))
        return 0


class Object:
    """Programs of one object file, loaded: those that are named, with their maps.

    ``counted``: the verifier is asked for its statistics of each, and no refusal has its log.
    """

    def __init__(
        self, libbpf: Libbpf, data: bytes, names: Sequence[str], *, counted: bool = False
    ) -> None:
        self._libbpf, self._data = libbpf, data
        self._logs: dict[str, Any] = {}
        self._held = self._call("bpf_object__open_mem", data, len(data), None)
        if not self._held:
            raise Refused("".join(libbpf.said))
        for name, program in self._each("program").items():
            libbpf.call("bpf_program__set_autoload", program, ctypes.c_bool(name in names))
            if counted and name in names:
                self._count(name, program)
        if libbpf.call("bpf_object__load", self._held):
            self.close()
            raise Refused("".join(libbpf.said))

    def _call(self, name: str, *args: object) -> int | None:
        found: int | None = self._libbpf.call(name, *args, result=ctypes.c_void_p)
        return found

    def _count(self, name: str, program: int) -> None:
        log = self._logs[name] = ctypes.create_string_buffer(ROOM)
        self._libbpf.call("bpf_program__set_log_level", program, ctypes.c_uint(STATISTICS))
        self._libbpf.call("bpf_program__set_log_buf", program, log, ctypes.c_size_t(ROOM))

    def statistics(self, name: str) -> str:
        """What the verifier told of a program, in its own words."""
        text: bytes = self._logs[name].value
        return text.decode()

    def _each(self, what: str) -> dict[str, int]:
        """The programs or maps, by name."""
        found: dict[str, int] = {}
        at = self._call(f"bpf_object__next_{what}", self._held, None)
        while at:
            name = self._libbpf.call(f"bpf_{what}__name", at, result=ctypes.c_char_p)
            found[name.decode()] = at
            at = self._call(f"bpf_object__next_{what}", self._held, at)
        return found

    def slots(self, name: str) -> int:
        """The slots of a program as it was loaded."""
        count = self._libbpf.call(
            "bpf_program__insn_cnt", self._each("program")[name], result=ctypes.c_size_t
        )
        return int(count)

    def descriptor(self, what: str, name: str) -> int:
        """A descriptor of a program or map, for the caller to close."""
        held: Callable[..., Any] = self._libbpf.call
        return fcntl.fcntl(held(f"bpf_{what}__fd", self._each(what)[name]), fcntl.F_DUPFD_CLOEXEC)

    def map_name(self, name: str) -> str:
        """The map whose C name is ``name``: libbpf puts a part of the object's name before that of a section."""
        return next(one for one in self._each("map") if one == name or one.endswith(name))

    def close(self) -> None:
        """Unload; what somebody holds a descriptor of stays."""
        if self._held:
            self._libbpf.call("bpf_object__close", self._held, result=None)
            self._held = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Twin(Live):
    """The twins of programs in the place of our own: the same maps, by our declarations, filled by clang's code."""

    def adopt(self, found: Object, program: Program, made: Compiled) -> None:
        """Take in the twin of ``program``, and its maps."""
        names = {id(declared): name for name, declared in declarations(program)}
        states = {
            id(one.state): f".data.{names[id(one)]}" for one in made.maps if isinstance(one, Ring)
        }
        for declared, spec in zip(made.maps, made.spec.maps, strict=True):
            if declared not in self._maps:
                name = found.map_name(states.get(id(declared), names[id(declared)]))
                live = class_of(spec.type)(spec, found.descriptor("map", name))
                self._maps.adopt(declared, live)
        loaded = Loaded(made.spec, found.descriptor("program", program.name))
        self._stack.callback(loaded.close)
        self.programs[program.name] = loaded
        self._names[id(program)] = program.name
        self._made[program.name] = made


def twin(found: Object, programs: Sequence[tuple[Program, Compiled]], machine: Machine) -> Twin:
    """The twins of programs, all of one object; attached by whoever wants them to run."""
    made = Twin(machine)
    for program, one in programs:
        made.adopt(found, program, one)
    return made
