"""How capabilities are tested: makers of tests, for the rows of ``probe_table``.

A test raises OSError where the kernel refuses, returns where it takes the thing, and leaves nothing
behind. It is given a ``Kernel``: the door, and the kernel's types where they are known.
"""

import errno
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from skep.btf.reader import Btf
from skep.btf.types import Enum, Kind, Member, Param
from skep.btf.writer import Builder
from skep.kernel import commands, vmlinux
from skep.kernel.bpf import Door
from skep.kernel.commands import EXIT, Command, Create, Layout, Load
from skep.lang.spec import Hook, ProgramKind

NO_PREALLOC, MMAPABLE = 1, 1 << 10
SLEEPABLE, FRAGS = 1 << 4, 1 << 5
_XDP, _EXT = 6, 28
_LOG = 4096
_NO_HELPER = ("unknown func", "invalid func", "cannot use helper", "not allowed in probe")


class Kernel(NamedTuple):
    """Whom to ask."""

    door: Door
    btf: Btf | None

    def find(self, kind: Kind, name: str) -> int:
        """The id of a type of the kernel; ENOENT where it has none."""
        found = self.btf.find(kind, name) if self.btf else None
        if found is None:
            raise OSError(errno.ENOENT, f"the kernel has no {name}")
        return found


Test = Callable[[Kernel], None]


class Opened:
    """Descriptors to be closed together."""

    def __init__(self) -> None:
        self.fds: list[int] = []

    def __call__(self, fd: int) -> int:
        """The descriptor, which is closed with the others."""
        self.fds.append(fd)
        return fd


@contextmanager
def opened(door: Door) -> Iterator[Opened]:
    """What is opened in the block is closed at its end."""
    held = Opened()
    try:
        yield held
    finally:
        for fd in reversed(held.fds):
            door.close(fd)


def program(prog_type: int, attach_type: int = 0, *, insns: bytes = EXIT, flags: int = 0) -> Test:
    """The kernel loads a program of that kind."""
    load = Load(prog_type, insns, expected_attach_type=attach_type, flags=flags)
    return lambda kernel: kernel.door.close(commands.prog_load(kernel.door, load))


def smallest(kind: ProgramKind) -> Test:
    """The kernel loads a program of that kind that does nothing."""
    attach_type = 0 if kind.hook is Hook.TCX else kind.attach_type
    insns = struct.pack("<BBhi", 0xB7, 0, 0, kind.default) + EXIT[8:]
    return program(kind.prog_type, attach_type, insns=insns, flags=kind.flags)


def targeted(prog_type: int, attach_type: int, kind: Kind, name: str) -> Test:
    """It loads one whose attach target is a type of the kernel."""

    def test(kernel: Kernel) -> None:
        target = kernel.find(kind, name)
        program_ = Load(prog_type, EXIT, expected_attach_type=attach_type, attach_btf_id=target)
        kernel.door.close(commands.prog_load(kernel.door, program_))

    return test


def extension(kernel: Kernel) -> None:
    """It loads a program that replaces a function of another one."""
    builder = Builder()
    integer = builder.integer("int", 4, signed=True)
    context = builder.ptr(builder.struct("xdp_md", 4, [Member("data", integer, 0)]))
    function = builder.func("probe", builder.prototype(integer, [Param("ctx", context)]), linkage=1)
    info = struct.pack("<II", 0, function)
    with opened(kernel.door) as keep:
        blob = keep(commands.btf_load(kernel.door, builder.build()))
        load = Load(_XDP, EXIT, btf_fd=blob, func_info=info)
        target = keep(commands.prog_load(kernel.door, load))
        load = load._replace(prog_type=_EXT, attach_btf_id=function, attach_fd=target)
        keep(commands.prog_load(kernel.door, load))


def core(kernel: Kernel) -> None:
    """The kernel itself applies a CO-RE record, one that asks whether it has a task_struct."""
    builder = Builder()
    integer = builder.integer("int", 4, signed=True)
    struct_id = builder.struct("task_struct", 4, [Member("pid", integer, 0)])
    function = builder.func("probe", builder.prototype(integer, []), linkage=1)
    access, exists, one = builder.string("0"), 8, bytes.fromhex("b700000001000000") + EXIT[8:]
    with opened(kernel.door) as keep:
        blob = keep(commands.btf_load(kernel.door, builder.build()))
        info = struct.pack("<II", 0, function)
        relocation = struct.pack("<4I", 0, struct_id, access, exists)
        load = Load(1, one, btf_fd=blob, func_info=info, core_relos=relocation)
        keep(commands.prog_load(kernel.door, load))


def helper(number: int, prog_type: int = 5, attach_type: int = 0) -> Test:
    """A program of that type (a tracepoint's, unless said) may call the helper."""
    insns = struct.pack("<BBhi", 0x85, 0, 0, number) + EXIT

    def test(kernel: Kernel) -> None:
        log = bytearray(_LOG)
        load = Load(prog_type, insns, expected_attach_type=attach_type)
        try:
            kernel.door.close(commands.prog_load(kernel.door, load, log_level=1, log=log))
        except OSError as error:
            text = log.split(b"\0", 1)[0].decode("ascii", "replace")
            if not text:
                raise
            said = next((line for line in text.splitlines() if _denies(line)), "")
            if said:
                raise OSError(errno.EINVAL, said) from error

    return test


def _denies(line: str) -> bool:
    return any(word in line for word in _NO_HELPER)


def kfunc(name: str) -> Test:
    """The kernel has that function in its BTF, or the module that the name says."""
    module, _, own = name.rpartition(":")

    def test(kernel: Kernel) -> None:
        types = vmlinux.module(module, kernel.btf) if module and kernel.btf else None
        if types is not None and types.find_own(Kind.FUNC, own) is not None:
            return
        try:
            kernel.find(Kind.FUNC, own)
        except OSError as error:
            if not module or types is not None:
                raise
            raise OSError(errno.ENOENT, f"the module {module} is not loaded") from error

    return test


def variable(name: str) -> Test:
    """A program may read that variable of each CPU."""

    def test(kernel: Kernel) -> None:
        number = kernel.find(Kind.VAR, name)
        code = struct.pack("<BBhiBBhi", 0x18, 0x31, 0, number, 0, 0, 0, 0)
        call = struct.pack("<BBhi", 0x85, 0, 0, 154)
        log = bytearray(_LOG)
        try:
            kernel.door.close(
                commands.prog_load(kernel.door, Load(5, code + call + EXIT), log_level=1, log=log)
            )
        except OSError as error:
            if b"failed to find the address" in log:
                why = "it lists no addresses of variables (CONFIG_KALLSYMS_ALL)"
                raise OSError(errno.ENOENT, why) from error
            raise

    return test


def named(kind: Kind, name: str) -> Test:
    """The kernel has a type of that name in its BTF."""

    def test(kernel: Kernel) -> None:
        kernel.find(kind, name)

    return test


def numbered(enum: str, name: str) -> Test:
    """The kernel has that name in an enumeration."""

    def test(kernel: Kernel) -> None:
        number = kernel.find(Kind.ENUM, enum)
        found = kernel.btf.type(number) if kernel.btf else None
        if not isinstance(found, Enum) or name not in dict(found.values):
            raise OSError(errno.ENOENT, f"its {enum} has no {name}")

    return test


def sized(name: str, size: int) -> Test:
    """The kernel has a struct of that name and size in its BTF."""

    def test(kernel: Kernel) -> None:
        number = kernel.find(Kind.STRUCT, name)
        found = kernel.btf.size(number) if kernel.btf else 0
        if found != size:
            raise OSError(errno.ENOENT, f"its {name} has {found} bytes, not {size}")

    return test


def map_type(create: Create) -> Test:
    """The kernel creates a map of that type."""
    return lambda kernel: kernel.door.close(commands.map_create(kernel.door, create))


def storage(kind: int) -> Test:
    """A map whose values hang on an object: it needs BTF."""

    def test(kernel: Kernel) -> None:
        builder = Builder()
        number = builder.integer("int", 4, signed=True)
        with opened(kernel.door) as keep:
            blob = keep(commands.btf_load(kernel.door, builder.build()))
            layout = Layout(blob, number, number)
            create = Create(kind, 4, 4, 0, NO_PREALLOC, "", layout)
            keep(commands.map_create(kernel.door, create))

    return test


def nested(kind: int) -> Test:
    """A map of maps."""

    def test(kernel: Kernel) -> None:
        with opened(kernel.door) as keep:
            inner = keep(commands.map_create(kernel.door, Create(2, 4, 4, 1)))
            keep(commands.map_create(kernel.door, Create(kind, 4, 4, 1, inner_fd=inner)))

    return test


def struct_ops(kernel: Kernel) -> None:
    """A table of functions of the kernel's can be made (of TCP congestion control)."""
    value = kernel.find(Kind.STRUCT, "bpf_struct_ops_tcp_congestion_ops")
    size = kernel.btf.size(value) if kernel.btf else 0
    builder = Builder()
    builder.integer("int", 4, signed=True)
    with opened(kernel.door) as keep:
        blob = keep(commands.btf_load(kernel.door, builder.build()))  # asked for, and not looked at
        layout = Layout(blob, kernel_value_id=value)
        keep(commands.map_create(kernel.door, Create(26, 4, size, 1, layout=layout)))


def batch(kernel: Kernel) -> None:
    """Batch commands: an empty map answers ENOENT."""
    with opened(kernel.door) as keep:
        fd = keep(commands.map_create(kernel.door, Create(1, 4, 4, 1)))
        arrays = commands.Batch(bytearray(4), bytearray(4), 1, bytearray(8))
        _, code = commands.map_batch(kernel.door, Command.MAP_LOOKUP_BATCH, fd, arrays)
        if code not in (0, errno.ENOENT):
            raise OSError(code, "")
