"""The kernel's BTF as types of the compiler: structs, members, arguments of tracepoints."""

from collections.abc import Callable, Mapping, Sequence

from skep.base.frozen import frozen
from skep.btf import types as btf
from skep.btf.reader import Btf
from skep.btf.types import Kind
from skep.lang import byte_order
from skep.lang.layout import Bitfield
from skep.lang.types import ArrayType, IntType, char
from skep.lang.values import BY_SHAPE, VOID, KernelPointer, KernelStruct, Type

WORD = 8
TRACEPOINT = "btf_trace_"
ITERATOR = "bpf_iter__"
OFFERED = "bpf_"
DEEPEST = 4
"""Structs in structs that the verifier takes for numbers."""
TAGS = "btf_arg_tag"
PROMOTED = {"tcp_congestion_ops": (("sock", "tcp_sock"),)}
X86_64, AARCH64 = ("di", "si", "dx", "cx", "r8", "r9"), 8
SYSCALL = ("di", "si", "dx", "r10", "r8", "r9")


@frozen
class Member:
    """A member of a kernel struct: type, offset in bytes, and its bits where it is a bit field."""

    type: Type
    offset: int
    bits: Bitfield | None = None


@frozen
class Signature:
    """A function of the kernel: its arguments' types, the context's slot of 8 bytes of each, and the slot behind them.

    A struct that is passed by value takes as many slots as it fills.
    """

    arguments: tuple[Type, ...]
    result: Type
    slots: tuple[int, ...]
    end: int

    @classmethod
    def plain(cls, arguments: Sequence[Type]) -> "Signature":
        """One whose arguments fill a slot each, and that gives nothing."""
        return cls(tuple(arguments), None, tuple(range(len(arguments))), len(arguments))

    def seen_as(self, others: Mapping[KernelStruct, KernelStruct]) -> "Signature":
        """The same, with pointers to other structs in place of some."""

        def seen(kind: Type) -> Type:
            known = isinstance(kind, KernelPointer) and isinstance(kind.target, KernelStruct)
            return KernelPointer(others.get(kind.target, kind.target), kind.user) if known else kind

        return Signature(tuple(map(seen, self.arguments)), self.result, self.slots, self.end)

    def shared(self, others: Sequence["Signature"]) -> "Signature":
        """What functions have in common: the arguments and the result whose types are the same in all."""
        kinds = [
            kind if all(one.arguments[i : i + 1] == (kind,) for one in others) else None
            for i, kind in enumerate(self.arguments)
        ]
        most = max((len(one.arguments) for one in others), default=0)
        result = self.result if all(one.result == self.result for one in others) else None
        kinds += [None] * (most - len(kinds))
        return Signature(tuple(kinds), result, tuple(range(len(kinds))), len(kinds))


@frozen
class Registers:
    """Where a machine's calling convention keeps arguments and the result: words of ``struct pt_regs``."""

    arguments: tuple[int, ...]
    result: int
    names: dict[str, int]

    @property
    def syscall(self) -> tuple[int, ...]:
        """Those in which a process passes the arguments of a system call."""
        return tuple(self.names[name] for name in SYSCALL if name in self.names) or self.arguments


@frozen
class Prototype:
    """A function: (name, type) of each parameter, and its result."""

    params: tuple[tuple[str, Type], ...]
    result: Type


Modules = Callable[[str], "KernelTypes | None"]
"""The types of a loaded module on top of the kernel's, by its name; None where it is not loaded."""


def no_modules(_name: str) -> None:
    """The modules of a kernel that has none."""


class KernelTypes:
    """Types by name and id over one kernel's BTF; holds the reader, and the members that were looked up.

    ``module`` is the name of the module whose types these are, on top of the kernel's; ``modules`` gives those of
    others, whose structs functions give.
    """

    def __init__(self, reader: Btf, module: str = "", modules: Modules = no_modules) -> None:
        self.btf, self.module, self._modules = reader, module, modules
        self._members: dict[tuple[str, int, str], Member | None] = {}

    def struct(self, name: str) -> KernelStruct | None:
        """``struct name`` or ``union name``, or one that is called so by a ``typedef``."""
        for kind in (Kind.STRUCT, Kind.UNION):
            found = self.btf.find(kind, name)
            if found is not None:
                return self._struct(found, name, self.btf.size(found))
        typedef = self.btf.find(Kind.TYPEDEF, name)
        named = self.convert(typedef) if typedef is not None else None
        return named if isinstance(named, KernelStruct) else None

    def _struct(self, number: int, name: str, size: int) -> KernelStruct:
        module = self.module if self.btf.is_own(number) else ""
        return KernelStruct(number, name, size, module=module)

    def _holding(self, struct: KernelStruct) -> "KernelTypes":
        """Where a struct is."""
        found = None if struct.module in ("", self.module) else self._modules(struct.module)
        return found or self

    def convert(self, type_id: int) -> Type:
        """The compiler's type of a BTF type; None where it has none (a function, a float)."""
        network = byte_order.of_typedef(self.btf, type_id)
        if network is not None:
            return network
        user, written = self._is_user(type_id), type_id
        type_id = self.btf.resolve(type_id)
        match self.btf.type(type_id):
            case btf.Int(name=name, size=size, signed=signed):
                return char if name == "char" else BY_SHAPE.get((size * 8, signed))
            case btf.Enum(size=size, signed=signed) | btf.Enum64(size=size, signed=signed):
                return BY_SHAPE[size * 8, signed]
            case btf.Ptr(type_id=target):
                return KernelPointer(
                    self.convert(target) if target else None, self._is_user(target) or user
                )
            case btf.Array(element=element, length=count):
                inner = self.convert(element)
                return ArrayType(inner, count) if inner is not None else None
            case btf.Struct(name=name, size=size) | btf.Union(name=name, size=size):
                alias = "" if name else next(self.btf.aliases(written), "(anonymous)")
                return self._struct(type_id, name or alias, size)
            case _:
                return None

    def _is_user(self, type_id: int) -> bool:
        kind = self.btf.type(type_id) if type_id else None
        while isinstance(kind, btf.TypeTag | btf.Const | btf.Volatile):
            if isinstance(kind, btf.TypeTag) and kind.name == "user":
                return True
            kind = self.btf.type(kind.type_id) if kind.type_id else None
        return False

    def member(self, struct: KernelStruct, name: str) -> Member | None:
        """The member of that name, looked for through anonymous members too."""
        key = (struct.module, struct.id, name)
        if key not in self._members:
            self._members[key] = self._holding(struct).looked_up(struct, name)
        return self._members[key]

    def looked_up(self, struct: KernelStruct, name: str) -> Member | None:
        """The same of a struct that is here, without remembering it."""
        field = self.btf.field(struct.id, name)
        if field is None:
            return None
        kind = byte_order.of_context(struct.name, name, self.convert(field.type_id))
        if not field.bitfield_size:
            return Member(kind, field.bit_offset // 8)
        size = self.btf.size(field.type_id)
        start = field.bit_offset // 8 // size * size
        while field.bit_offset - start * 8 + field.bitfield_size > size * 8:
            start += 1
        return Member(
            kind, start, Bitfield(field.bit_offset - start * 8, field.bitfield_size, size)
        )

    def begins(self, struct: KernelStruct, name: str) -> bool:
        """Whether a struct is one of that name, or begins with one: a ``tcp_sock`` is a ``sock``."""
        types = self._holding(struct)
        found: Type = struct
        while isinstance(found, KernelStruct) and found.name != name:
            first = next(iter(types.btf.fields(found.id)), None)
            found = types.convert(first.type_id) if first is not None else None
        return isinstance(found, KernelStruct)

    def is_plain(self, kind: Type, depth: int = DEEPEST) -> bool:
        """Whether a type is numbers alone, for which a program's own memory serves: ``__btf_type_is_scalar_struct``."""
        if isinstance(kind, ArrayType):
            return self.is_plain(kind.element, depth)
        if not isinstance(kind, KernelStruct) or not depth or not kind.size:
            return isinstance(kind, IntType)
        types = self._holding(kind)
        kinds = [types.convert(field.type_id) for field in types.btf.fields(kind.id)]
        return all(types.is_plain(one, depth - 1) for one in kinds)

    def members(self, struct: KernelStruct) -> list[str]:
        """The names of all members, for "did you mean"."""
        return [field.name for field in self._holding(struct).btf.fields(struct.id)]

    def tracepoints(self) -> list[str]:
        """The tracepoints with typed arguments."""
        names = self.btf.names(Kind.TYPEDEF)
        return [n.removeprefix(TRACEPOINT) for n in names if n.startswith(TRACEPOINT)]

    def function(self, name: str) -> bool:
        """Whether the kernel has a function of that name with types."""
        return self.btf.find(Kind.FUNC, name) is not None

    def own_function(self, name: str) -> bool:
        """The same of a module."""
        return self.btf.find_own(Kind.FUNC, name) is not None

    def prototype(self, name: str) -> "Prototype | None":
        """The parameters and the result of a function; None where there is none of that name. A module's is before."""
        own = self.btf.find_own(Kind.FUNC, name) if self.module else None
        found = self.btf.find(Kind.FUNC, name) if own is None else own
        if found is None:
            return None
        proto = self.btf.prototype(found)
        params = tuple((p.name, self.convert(p.type_id)) for p in proto.params)
        return Prototype(params, self.convert(proto.result) if proto.result else VOID)

    def offered(self) -> list[str]:
        """The names of functions that begin as those for programs do, for "did you mean"."""
        return [name for name in self.btf.names(Kind.FUNC) if name.startswith(OFFERED)]

    def own_offered(self) -> list[str]:
        """The same of a module."""
        return [name for name in self.btf.own_names(Kind.FUNC) if name.startswith(OFFERED)]

    @property
    def tags(self) -> bool:
        """Whether the kernel reads tags of a global function's parameters (6.9)."""
        return "ARG_TAG_TRUSTED" in self.numbers(TAGS)

    def numbers(self, enum: str) -> dict[str, int]:
        """The numbers of an enumeration by name; empty where there is none."""
        found = self.btf.find(Kind.ENUM, enum) or self.btf.find(Kind.ENUM64, enum)
        kind = self.btf.type(found) if found else None
        return dict(kind.values) if isinstance(kind, btf.Enum | btf.Enum64) else {}

    def unnamed_numbers(self, name: str) -> frozenset[int]:
        """The numbers of a name in enumerations that have none themselves."""
        return frozenset(number for enum, number in self.btf.enumerators(name) if not enum)

    def arguments(self, typedef: str) -> list[Type] | None:
        """The types of a tracepoint's arguments, from its ``btf_trace_NAME``; None where there is none."""
        found = self.btf.find(Kind.TYPEDEF, typedef)
        if found is None:
            return None
        pointer = self.btf.type(self.btf.resolve(found))
        if not isinstance(pointer, btf.Ptr):
            return None
        proto = self.btf.type(self.btf.resolve(pointer.type_id))
        if not isinstance(proto, btf.FuncProto):
            return None
        return [self.convert(parameter.type_id) for parameter in proto.params[1:]]

    def signature(self, function: str) -> Signature | None:
        """The types of a function; None where the kernel has none of that name, or not its types."""
        found = self.btf.find(Kind.FUNC, function)
        return None if found is None else self._signature(self.btf.prototype(found))

    def own_signature(self, function: str) -> Signature | None:
        """The same of a module's own function, whatever the kernel has under that name."""
        found = self.btf.find_own(Kind.FUNC, function)
        return None if found is None else self._signature(self.btf.prototype(found))

    def _signature(self, proto: btf.FuncProto) -> Signature:
        slots, end = [], 0
        for parameter in proto.params:
            slots.append(end)
            end += max(1, -(-self.btf.size(parameter.type_id) // WORD))
        arguments = tuple(self.convert(parameter.type_id) for parameter in proto.params)
        return Signature(arguments, self.convert(proto.result), tuple(slots), end)

    def functions(self, ops: str) -> dict[str, Signature]:
        """The functions of a table that programs fill, by name; none where the kernel lets no program fill it."""
        struct = self.btf.find(Kind.STRUCT, ops)
        if struct is None or self.btf.find(Kind.STRUCT, f"bpf_struct_ops_{ops}") is None:
            return {}
        found = {}
        for field in self.btf.fields(struct):
            pointer = self.btf.type(self.btf.resolve(field.type_id))
            target = (
                self.btf.type(self.btf.resolve(pointer.type_id))
                if isinstance(pointer, btf.Ptr)
                else None
            )
            if isinstance(target, btf.FuncProto):
                found[field.name] = self._signature(target)
        return found

    def promoted(self, ops: str) -> dict[KernelStruct, KernelStruct]:
        """Objects of a table that the verifier takes for larger ones: a socket of congestion control is TCP's."""
        pairs = [(self.struct(small), self.struct(large)) for small, large in PROMOTED.get(ops, ())]
        return {small: large for small, large in pairs if small and large}

    def result_name(self, function: str) -> str:
        """The name of the type that a function gives: "int", "_Bool", "void"; "" where it is not known."""
        found = self.btf.find(Kind.FUNC, function)
        if found is None:
            return ""
        result = self.btf.prototype(found).result
        return self.btf.name(self.btf.resolve(result)) if result else "void"

    def registers(self) -> Registers:
        """The words of ``struct pt_regs`` in which this machine passes arguments and results."""
        struct = self.struct("pt_regs")
        if struct is None:
            return Registers((), 0, {})
        members = {name: self.member(struct, name) for name in self.members(struct)}
        words = {name: found.offset // WORD for name, found in members.items() if found}
        if "regs" in words:
            return Registers(tuple(range(AARCH64)), 0, words)
        return Registers(tuple(words[name] for name in X86_64), words["ax"], words)

    def iterated(self) -> list[str]:
        """What programs go over by themselves."""
        found = (n.removeprefix("bpf_iter_") for n in self.offered() if n.startswith("bpf_iter_"))
        return sorted(name[:-4] for name in found if name.endswith("_new") and name != "num_new")

    def iterators(self) -> list[str]:
        """What the kernel iterates over."""
        names = self.btf.names(Kind.STRUCT)  # __safe_trusted: the verifier's own notes on one
        found = (name.removeprefix(ITERATOR) for name in names if name.startswith(ITERATOR))
        return [name for name in found if "__safe_" not in name]
