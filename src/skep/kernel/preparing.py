"""From a spec to what BPF_PROG_LOAD takes: maps, kernel functions and targets resolved to numbers. Nothing is loaded.

What a program is attached to is a type of the kernel, a member of a function table of its own, or another program.
"""

import struct
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from skep.base.errors import BadInput, Unsupported
from skep.base.lazy import lazy
from skep.base.similar import similar
from skep.btf.reader import Btf
from skep.btf.types import Kind
from skep.btf.types import Struct as StructOf
from skep.kernel import kernel_symbols, vmlinux
from skep.kernel.commands import Load
from skep.kernel.modules import numbered, unloaded
from skep.kernel.tracefs import TRACEPOINTS, absent
from skep.lang.modules import split
from skep.lang.spec import BOUND, Hook, ProgramSpec

netlink = lazy("skep.kernel.netlink")  # few programs need it

_PSEUDO_MAP_FD, _PSEUDO_MAP_VALUE, _PSEUDO_KFUNC_CALL = 1, 2, 2
_INSN = struct.Struct("<BBhi")
FUNC_INFO = 8
_TRACING, _STRUCT_OPS, _LSM, _SCHED_CLS = 26, 27, 29, 3

# The kind of the type that names a target, by (program type, attach type).
_TARGETS = {
    (_TRACING, 23): Kind.TYPEDEF,  # btf_trace_NAME
    (_TRACING, 24): Kind.FUNC,
    (_TRACING, 25): Kind.FUNC,
    (_TRACING, 26): Kind.FUNC,
    (_TRACING, 28): Kind.FUNC,  # bpf_iter_NAME
    (_LSM, 27): Kind.FUNC,  # bpf_lsm_NAME
    (_LSM, 43): Kind.FUNC,
    (_STRUCT_OPS, 0): Kind.STRUCT,
}


class Descriptor(Protocol):
    """A map, as far as a program needs it."""

    @property
    def fd(self) -> int:
        """Its descriptor."""
        ...


class Loaded(Protocol):
    """A loaded program that another one stands in for, or watches."""

    @property
    def spec(self) -> ProgramSpec:
        """What it was loaded from."""
        ...

    @property
    def fd(self) -> int:
        """Its descriptor."""
        ...


class Resolved(NamedTuple):
    """Instructions; the modules whose functions are called, in the order in which the instructions count them, from 1.

    ``variables`` are instructions that take a descriptor of a module's types, each with the module.
    """

    code: bytes
    modules: tuple[str, ...]
    variables: tuple[tuple[int, str], ...] = ()


def resolve(spec: ProgramSpec, fds: Sequence[int], btf: Btf | None) -> Resolved:
    """The instructions with descriptors of maps, offsets of values and ids of kernel functions in their places."""
    code = bytearray(spec.insns)
    for reference in spec.references:
        value = reference.offset is not None
        source = _PSEUDO_MAP_VALUE if value else _PSEUDO_MAP_FD
        _patch(code, reference.insn, source, fds[reference.index])
        if value:
            struct.pack_into("<i", code, 8 * (reference.insn + 1) + 4, reference.offset)
    variables = kernel_symbols.put(code, spec, btf)
    functions = {name: _function(name, btf) for name in sorted({call.name for call in spec.kfuncs})}
    modules = tuple(dict.fromkeys(module for module, _ in functions.values() if module))
    for call in spec.kfuncs:
        module, number = functions[call.name]
        _patch(code, call.insn, _PSEUDO_KFUNC_CALL, number)
        if module:
            struct.pack_into("<h", code, 8 * call.insn + 2, 1 + modules.index(module))
    return Resolved(bytes(code), modules, variables)


def _function(symbol: str, btf: Btf | None) -> tuple[str, int]:
    """The module and the id of a function that the kernel offers; the module "" where it is the kernel's own."""
    owner, number = numbered(symbol, Kind.FUNC, btf)
    if number is None:
        module, _, name = symbol.rpartition(":")
        where = f"the types of module {module} do" if module else "its BTF does"
        raise Unsupported(f"the kernel function {name}", f"{where} not have it")
    return owner, number


def _patch(code: bytearray, insn: int, source: int, value: int) -> None:
    opcode, registers, offset, _ = _INSN.unpack_from(code, 8 * insn)
    _INSN.pack_into(code, 8 * insn, opcode, registers & 0x0F | source << 4, offset, value)


def attach_id(spec: ProgramSpec, btf: Btf | None) -> int:
    """The BTF id that the program's kind attaches to, 0 where it needs none; Unsupported where the kernel lacks it."""
    wanted = _TARGETS.get((spec.kind.prog_type, spec.kind.attach_type))
    if wanted is None:
        return 0
    feature = f"{spec.kind.name} {spec.target}"
    if spec.kind.hook is Hook.STRUCT_OPS and btf is not None:
        return _table_id(spec, btf)[0]
    if btf is None:
        raise Unsupported(feature, "the types of the running kernel are not known")
    prefix, (module, name) = spec.kind.attach_prefix, split(spec.kind.name, spec.target)
    types = vmlinux.module(module, btf) if module else btf
    if types is None:
        raise unloaded(module)
    found = types.find_own(wanted, prefix + name)
    if found is not None:
        return found
    known = _candidates(types, wanted, prefix)
    where = TRACEPOINTS if wanted is Kind.TYPEDEF else f"{vmlinux.DIRECTORY}/{module or 'vmlinux'}"
    raise Unsupported(feature, absent(name, known, where))


def _table_id(spec: ProgramSpec, btf: Btf) -> tuple[int, int]:
    """The id of the table that a struct_ops program is for, and which of its members it is."""
    ops, _, name = spec.target.partition(".")
    found = btf.find(Kind.STRUCT, ops)
    kind = btf.type(found) if found else None
    names = [member.name for member in kind.members] if isinstance(kind, StructOf) else []
    if found is None or name not in names:
        near = similar(name, names)
        hint = f"did you mean {near!r}?" if near else f"it has {', '.join(names)}"
        reason = f"the table has no such member; {hint}" if names else "there is no such table"
        raise Unsupported(f"struct_ops {spec.target}", reason)
    return found, names.index(name)


def entry_id(spec: ProgramSpec) -> int:
    """The BTF id of a program's entry function in the program's own types."""
    first = int.from_bytes(spec.func_info[4:8], "little")
    if not first:
        raise Unsupported(f"a program on {spec.name}", "it was loaded without types")
    return first


def function_id(spec: ProgramSpec, name: str) -> int:
    """The BTF id of a global function of a program, in the program's own types. Unsupported where it calls none."""
    types = Btf(spec.btf) if spec.btf else None
    records = range(0, len(spec.func_info) if types else 0, FUNC_INFO)
    numbers = [int.from_bytes(spec.func_info[at + 4 : at + 8], "little") for at in records[1:]]
    found = [number for number in numbers if types and types.name(number) == name]
    if len(found) == 1:
        return found[0]
    several = f"it has {len(found)} of that name, made for different arguments"
    why = several if found else "it calls no global function of that name"
    raise Unsupported(f"replacing {name}() of {spec.name}", why)


def _onto(spec: ProgramSpec, onto: Loaded) -> int:
    """The BTF id of what a program stands in for, or watches, in another one."""
    return function_id(onto.spec, spec.replaces) if spec.replaces else entry_id(onto.spec)


def _candidates(btf: Btf, kind: Kind, prefix: str) -> list[str]:
    return [name.removeprefix(prefix) for name in btf.own_names(kind) if name.startswith(prefix)]


def prepare(
    spec: ProgramSpec, maps: Sequence[Descriptor], btf: Btf | None, onto: Loaded | None = None
) -> Load:
    """What BPF_PROG_LOAD takes, without the program's own types; ``onto`` is the program that it replaces or watches.

    Unsupported where the kernel has no such target or function.
    """
    kind = spec.kind
    expected = 0 if kind.prog_type == _SCHED_CLS else kind.attach_type  # tc has one at the link
    if kind.hook is Hook.STRUCT_OPS and btf is not None:
        expected = _table_id(spec, btf)[1]
    made = resolve(spec, [one.fd for one in maps], btf)
    device = _device(spec)
    return Load(
        kind.prog_type,
        made.code,
        spec.license.encode() + b"\0",
        spec.name,
        spec.flags | (BOUND if device else 0),
        expected,
        attach_btf_id=_onto(spec, onto) if onto else attach_id(spec, btf),
        attach_fd=onto.fd if onto else 0,
        modules=made.modules,
        variables=made.variables,
        ifindex=device,
    )


def _device(spec: ProgramSpec) -> int:
    """The index of the device that an XDP program is bound to, in the calling thread's namespace; 0 of none."""
    name = dict(spec.options).get("device")
    if name is None:
        return 0
    with netlink.Netlink() as connection:
        devices: dict[str, int] = {one.name: one.ifindex for one in connection.devices()}
    if name in devices:
        return devices[str(name)]
    problem = f"there is no network device {name!r}, which {spec.name} is bound to"
    raise BadInput("device", problem, f"there are {', '.join(devices)}")
