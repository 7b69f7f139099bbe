"""A loaded program: a spec whose maps, kernel functions and attach target are resolved, verified by the kernel.

A Program owns its descriptor; the kernel's object lives while a descriptor, pin or link holds it. Loading asks for
the verifier's log only when it refuses; its text then becomes a VerifierError.
"""

import errno
import struct
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import NamedTuple, Self

from skep.base.errors import BadInput, Forbidden, SkepError, Unsupported
from skep.base.lazy import lazy
from skep.btf.reader import Btf
from skep.kernel import commands, streams
from skep.kernel.bpf import DOOR, Door
from skep.kernel.commands import Load, Run
from skep.kernel.objects import ProgramInfo, program_info
from skep.kernel.preparing import Descriptor, prepare
from skep.kernel.refusal import TRACING, refusal, refused
from skep.lang.modules import split
from skep.lang.spec import ProgramSpec

probes, verifier = lazy("skep.kernel.probes"), lazy("skep.kernel.verifier")  # for refusals
modules = lazy("skep.kernel.modules")  # only functions of modules need it

_LOG_TEXT = 1
_FIRST_LOG, _LAST_LOG = 1 << 16, 1 << 22
_READ_NOTHING = "processed 0 insns"


class Types(NamedTuple):
    """The types that a program is loaded with in place of its own, where maps share them (``shared_types``).

    ``fd`` outlives the program's object; ``functions`` stand in for its own records where those are types of others,
    which have no lines of it.
    """

    fd: int = 0
    functions: bytes = b""


OWN = Types()
"""A program's own types."""


class Program:
    """``with Program.load(spec, maps, btf) as program``: a program that hooks can run; links keep it."""

    def __init__(
        self,
        spec: ProgramSpec,
        fd: int,
        *,
        following: Descriptor | None = None,
        load: Load | None = None,
        door: Door = DOOR,
    ) -> None:
        self.spec, self.fd, self.door = spec, fd, door
        self._load = load
        self.next = following
        """The array by which a chained program goes on; None where it is not chained."""

    @classmethod
    def load(
        cls,
        spec: ProgramSpec,
        maps: Sequence[Descriptor],
        btf: Btf | None = None,
        *,
        onto: "Program | None" = None,
        types: Types = OWN,
        door: Door = DOOR,
    ) -> Self:
        """Loads ``spec``; ``maps`` are those of ``spec.maps``, in order.

        ``btf`` is the running kernel's, for targets and kernel functions; ``onto`` the loaded program that a
        freplace program stands in for, or that a fentry or fexit program watches. VerifierError where the verifier
        refuses; Unsupported where the kernel has no such target, function or kind, or a policy
        refuses it; Forbidden where a capability is missing.
        """
        load = prepare(spec, maps, btf, onto)._replace(btf_fd=types.fd, func_info=types.functions)
        following = None if spec.next is None else maps[spec.next]
        with _typed(spec, load, door) as typed:
            fd = _verify(spec, typed, btf, door)
        return cls(spec, fd, following=following, load=load, door=door)

    def verify_again(self, level: int, log: bytearray) -> None:
        """Verifies it once more, for what the verifier says at ``level``; what this loads is closed at once."""
        if self._load is None:
            raise BadInput(self.spec.name, "this program was not loaded here")
        refusing = refused("BPF_PROG_LOAD", self.spec.name, needs=TRACING, door=self.door)
        with refusing, _typed(self.spec, self._load, self.door) as typed:
            self.door.close(commands.prog_load(self.door, typed, log_level=level, log=log))

    def info(self) -> ProgramInfo:
        """Identity, sizes and run statistics (``run_cnt`` and ``run_time_ns`` while those are enabled)."""
        with refused("BPF_OBJ_GET_INFO_BY_FD", self.spec.name, door=self.door):
            return program_info(self.door, self.fd)

    def stdout(self) -> str:
        """Takes out what the program printed by ``print(..., file=sys.stdout)``. Unsupported before Linux 6.17."""
        return streams.read(self.fd, streams.STDOUT, self.spec.name, door=self.door)

    def stderr(self) -> str:
        """Takes out what it printed by ``print(..., file=sys.stderr)``, and what the kernel tells of its runs there.

        Of an access to a part of an arena that is not there, and of what it stopped.
        """
        return streams.read(self.fd, streams.STDERR, self.spec.name, door=self.door)

    def test_run(self, data: bytes = b"", ctx: bytes = b"", repeat: int = 1) -> Run:
        """Runs the program on a packet or context, attached to nothing (BPF_PROG_TEST_RUN).

        KernelError [ENOTSUPP], or [EFAULT] of tp_btf and iterators, where the kernel runs no such kind. A packet has at
        least the 14 bytes of Ethernet.
        """
        with refused("BPF_PROG_TEST_RUN", self.spec.name, door=self.door):
            rounds = repeat if data or repeat > 1 else 0  # a run on a context alone takes no count
            return commands.prog_test_run(self.door, self.fd, data, ctx, rounds)

    def pin(self, path: str) -> None:
        """Gives the program a name in a bpffs."""
        with refused("BPF_OBJ_PIN", path, exclusive=True, door=self.door):
            commands.obj_pin(self.door, path, self.fd)

    def close(self) -> None:
        """Gives the descriptor back; links keep the program."""
        if self.fd >= 0:
            self.door.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Program {self.spec.name} ({self.spec.kind.name} {self.spec.target})>"


@contextmanager
def _typed(spec: ProgramSpec, load: Load, door: Door) -> Iterator[Load]:
    """The same with the program's own types, functions and lines, and those of the modules that it is for and calls."""
    with ExitStack() as stack:
        fd = load.btf_fd
        if spec.btf and not fd:
            with refused("BPF_BTF_LOAD", spec.name, door=door):
                fd = commands.btf_load(door, spec.btf)
            stack.callback(door.close, fd)
        if spec.btf:
            load = load._replace(btf_fd=fd)
        if spec.btf and not load.func_info:
            load = load._replace(func_info=spec.func_info, line_info=spec.line_info)
        module, _ = split(spec.kind.name, spec.target)
        if module:
            load = load._replace(attach_fd=_opened(module, stack, door))
        called = [_opened(one, stack, door) for one in load.modules]
        if called:  # the first is never asked for: 0 stands for the kernel itself
            load = load._replace(fd_array=struct.pack(f"<{1 + len(called)}i", 0, *called))
        yield _with_variables(load, stack, door)


def _with_variables(load: Load, stack: ExitStack, door: Door) -> Load:
    """The same with descriptors of the modules whose variables it names; they end with ``stack``."""
    if not load.variables:
        return load
    fds = {one: _opened(one, stack, door) for one in dict.fromkeys(m for _, m in load.variables)}
    code = bytearray(load.insns)
    for insn, module in load.variables:
        struct.pack_into("<i", code, 8 * (insn + 1) + 4, fds[module])
    return load._replace(insns=bytes(code))


def _opened(module: str, stack: ExitStack, door: Door) -> int:
    """A descriptor of a module's types, which ends with ``stack``."""
    with refused("BPF_BTF_GET_FD_BY_ID", module, door=door):
        fd: int = modules.opened(module, door)
    stack.callback(door.close, fd)
    return fd


def _verify(spec: ProgramSpec, load: Load, btf: Btf | None, door: Door) -> int:
    """The descriptor of the verified program, or the error that says why there is none."""
    try:
        return commands.prog_load(door, load)
    except OSError as error:
        log = _log(load, door, _FIRST_LOG if error.errno == errno.E2BIG else _LAST_LOG)
        if log:
            raise verifier.explain(log, spec) from error
        raise _refusal(error, spec, btf, door) from error


def _refusal(error: OSError, spec: ProgramSpec, btf: Btf | None, door: Door) -> SkepError:
    """Unsupported, with what to use instead, where the kernel does not take the smallest program of the kind either."""
    kind, call = spec.kind, f"BPF_PROG_LOAD ({spec.kind.name})"
    found = refusal(error, call, spec.name, needs=TRACING, door=door)
    if isinstance(found, Forbidden):
        return found
    for feature, what in _features(spec):
        asked = probes.probe(feature, btf, door=door)
        if not asked.on:
            own = feature == kind.feature
            since, instead = (kind.since, kind.instead) if own else (asked.since, asked.instead)
            return Unsupported(f"{what} programs", asked.why, since, instead)
    return found


def _features(spec: ProgramSpec) -> Iterator[tuple[str, str]]:
    """What the kernel is asked for: the kind, then the kind with its target; with their names for people."""
    kind, target = spec.kind, f"{spec.kind.name}.{spec.target}"
    if kind.feature.startswith("prog."):
        yield kind.feature, kind.name
    if target in probes.FEATURES:
        yield target, f"{kind.name} {spec.target}"


def _log(load: Load, door: Door, last: int) -> str:
    """What the verifier says of a program that it refuses; "" where it says nothing but that it read none of it.

    The buffer grows while it is too small, up to ``last``: for a program that is too large the end of
    the log tells all, and each pass takes seconds. A kernel since 6.4 keeps the end of a log.
    """
    size = _FIRST_LOG
    while True:
        buffer = bytearray(size)
        with suppress(OSError):
            door.close(commands.prog_load(door, load, log_level=_LOG_TEXT, log=buffer))
        text = buffer.split(b"\0", 1)[0].decode("utf-8", "replace")
        if len(text) < size - 1 or size >= last:
            return "" if text.startswith(_READ_NOTHING) else text
        size *= 8
