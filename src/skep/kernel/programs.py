"""A loaded program: a spec whose maps, kernel functions and attach target are resolved, verified by the kernel.

A Program owns its descriptor; the kernel's object lives while a descriptor, pin or link holds it. Loading asks for
the verifier's log only when it refuses; its text then becomes a VerifierError.
"""

import errno
import struct
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol, Self

from skep.base.errors import Unsupported
from skep.base.lazy import lazy
from skep.base.similar import similar
from skep.btf.reader import Btf
from skep.btf.types import Kind
from skep.kernel import commands
from skep.kernel.bpf import DOOR, Door
from skep.kernel.commands import Load, Run
from skep.kernel.objects import ProgramInfo, program_info
from skep.kernel.refusal import TRACING, refusal, refused
from skep.lang.spec import ProgramSpec

verifier = lazy("skep.kernel.verifier")  # only a refusal needs it

_PSEUDO_MAP_FD, _PSEUDO_MAP_VALUE, _PSEUDO_KFUNC_CALL = 1, 2, 2
_INSN = struct.Struct("<BBhi")
_LOG_TEXT = 1
_FIRST_LOG, _LAST_LOG = 1 << 16, 1 << 22
_TRACING, _LSM, _SCHED_CLS = 26, 29, 3

# The kind of the type that names a target, by (program type, attach type).
_TARGETS = {
    (_TRACING, 23): Kind.TYPEDEF,  # btf_trace_NAME
    (_TRACING, 24): Kind.FUNC,
    (_TRACING, 25): Kind.FUNC,
    (_TRACING, 26): Kind.FUNC,
    (_TRACING, 28): Kind.FUNC,  # bpf_iter_NAME
    (_LSM, 27): Kind.FUNC,  # bpf_lsm_NAME
}


class Descriptor(Protocol):
    """A map, as far as a program needs it."""

    @property
    def fd(self) -> int:
        """Its descriptor."""
        ...


class Program:
    """``with Program.load(spec, maps, btf) as program``: a program that hooks can run; links keep it."""

    def __init__(
        self,
        spec: ProgramSpec,
        fd: int,
        *,
        following: Descriptor | None = None,
        door: Door = DOOR,
    ) -> None:
        self.spec, self.fd, self.door = spec, fd, door
        self.next = following
        """The array by which a chained program goes on; None where it is not chained."""

    @classmethod
    def load(
        cls,
        spec: ProgramSpec,
        maps: Sequence[Descriptor],
        btf: Btf | None = None,
        *,
        door: Door = DOOR,
    ) -> Self:
        """Loads ``spec``; ``maps`` are those of ``spec.maps``, in order.

        ``btf`` is the running kernel's, for targets and kernel functions. VerifierError where the verifier refuses;
        Unsupported where the kernel has no such target, function or kind, or a policy refuses it; Forbidden where a
        capability is missing.
        """
        insns = resolve(spec, [one.fd for one in maps], btf)
        target = attach_id(spec, btf)
        fds: list[int] = []
        try:
            if spec.btf:
                with refused("BPF_BTF_LOAD", spec.name, door=door):
                    fds.append(commands.btf_load(door, spec.btf))
            load = _load_of(spec, insns, target, fds[0] if fds else 0)
            following = None if spec.next is None else maps[spec.next]
            return cls(spec, _verify(spec, load, door), following=following, door=door)
        finally:
            for fd in fds:
                door.close(fd)

    def info(self) -> ProgramInfo:
        """Identity, sizes and run statistics (``run_cnt`` and ``run_time_ns`` while those are enabled)."""
        with refused("BPF_OBJ_GET_INFO_BY_FD", self.spec.name, door=self.door):
            return program_info(self.door, self.fd)

    def test_run(self, data: bytes = b"", ctx: bytes = b"", repeat: int = 1) -> Run:
        """Runs the program on a packet or context, attached to nothing (BPF_PROG_TEST_RUN).

        KernelError [ENOTSUPP] where the kernel runs no such kind. A packet has at least the 14 bytes of Ethernet.
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


def resolve(spec: ProgramSpec, fds: Sequence[int], btf: Btf | None) -> bytes:
    """The instructions with descriptors of maps, offsets of values and ids of kernel functions in their places."""
    code = bytearray(spec.insns)
    for reference in spec.references:
        value = reference.offset is not None
        source = _PSEUDO_MAP_VALUE if value else _PSEUDO_MAP_FD
        _patch(code, reference.insn, source, fds[reference.index])
        if value:
            struct.pack_into("<i", code, 8 * (reference.insn + 1) + 4, reference.offset)
    for call in spec.kfuncs:
        number = btf.find(Kind.FUNC, call.name) if btf else None
        if number is None:
            raise Unsupported(f"the kernel function {call.name}", "its BTF does not have it")
        _patch(code, call.insn, _PSEUDO_KFUNC_CALL, number)
    return bytes(code)


def _patch(code: bytearray, insn: int, source: int, value: int) -> None:
    opcode, registers, offset, _ = _INSN.unpack_from(code, 8 * insn)
    _INSN.pack_into(code, 8 * insn, opcode, registers & 0x0F | source << 4, offset, value)


def attach_id(spec: ProgramSpec, btf: Btf | None) -> int:
    """The BTF id that the program's kind attaches to, 0 where it needs none; Unsupported where the kernel lacks it."""
    wanted = _TARGETS.get((spec.kind.prog_type, spec.kind.attach_type))
    if wanted is None:
        return 0
    feature = f"{spec.kind.name} {spec.target}"
    if btf is None:
        raise Unsupported(feature, "the types of the running kernel are not known")
    prefix = spec.kind.attach_prefix
    found = btf.find(wanted, prefix + spec.target)
    if found is not None:
        return found
    near = similar(spec.target, _candidates(btf, wanted, prefix))
    raise Unsupported(feature, "there is none of that name", instead=near or "")


def _candidates(btf: Btf, kind: Kind, prefix: str) -> list[str]:
    return [name.removeprefix(prefix) for name in btf.names(kind) if name.startswith(prefix)]


def _load_of(spec: ProgramSpec, insns: bytes, target: int, btf_fd: int) -> Load:
    kind = spec.kind
    return Load(
        kind.prog_type,
        insns,
        spec.license.encode() + b"\0",
        spec.name,
        spec.flags,
        0 if kind.prog_type == _SCHED_CLS else kind.attach_type,  # tc programs have one at the link
        btf_fd,
        spec.func_info if btf_fd else b"",
        spec.line_info if btf_fd else b"",
        target,
    )


def _verify(spec: ProgramSpec, load: Load, door: Door) -> int:
    """The descriptor of the verified program, or the error that says why there is none."""
    try:
        return commands.prog_load(door, load)
    except OSError as error:
        log = _log(load, door, _FIRST_LOG if error.errno == errno.E2BIG else _LAST_LOG)
        if log:
            raise verifier.explain(log, spec) from error
        raise _refusal(error, spec, door) from error


def _refusal(error: OSError, spec: ProgramSpec, door: Door) -> Exception:
    call = f"BPF_PROG_LOAD ({spec.kind.name})"
    return refusal(error, call, spec.name, needs=TRACING, door=door)


def _log(load: Load, door: Door, last: int) -> str:
    """What the verifier says of a program that it refuses; "" where it says nothing.

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
            return text
        size *= 8
