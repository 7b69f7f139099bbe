"""The last step, for a program that was just compiled and for one from the cache alike: linked code to a spec.

It needs neither syntax trees nor LLVM.
"""

from dataclasses import replace

from skep.base.errors import CompileError
from skep.base.frozen import frozen
from skep.lang.capture import Reached, declared, reached
from skep.lang.declared.storage import AttachedStorage
from skep.lang.kernel_variables import Wanted
from skep.lang.linked import CONSTANTS, Linked
from skep.lang.maps import Declaration, Global
from skep.lang.objects import is_object, objects_of
from skep.lang.programs import Program
from skep.lang.spec import (
    AddressReference,
    MapReference,
    MapSpec,
    ProgramSpec,
    TypeReference,
    VariableReference,
)
from skep.lang.struct import Struct, StructType
from skep.lang.types import u8

NAME = 15
MAP, TYPE = "map.", "type."
"""How the symbols begin by which code refers to what a loader knows."""
TEXTS = "texts"
"""The name of the map that holds a program's constant memory."""


@frozen
class Compiled:
    """A spec and the declarations of its maps: ``maps[i]`` declares ``spec.maps[i]``."""

    spec: ProgramSpec
    maps: tuple[Declaration, ...]


def finish(program: Program, linked: Linked) -> Compiled:
    """The spec of a program whose code is linked, from the compiler or the cache."""
    reach = list(reached(program))
    named = declared(reach, program.chain)
    maps = tuple(one for _, one in named)
    last = len(maps) - 1
    if linked.constants:
        named = [*named, (TEXTS, _texts(linked.constants))]
        maps = tuple(one for _, one in named)
    objects = _objects(program, reach, maps)
    _refuse_two_attached(program, maps)
    references = tuple(
        _reference(insn, name, addend, maps) for insn, name, addend in _of(linked, MAP)
    )
    references += tuple(
        MapReference(insn, len(maps) - 1, addend) for insn, _, addend in _of(linked, CONSTANTS)
    )
    types = tuple(TypeReference(insn, objects[name]) for insn, name, _ in _of(linked, TYPE))
    made = ProgramSpec(
        program.name[:NAME],
        program.kind,
        program.hook,
        program.license,
        linked.insns,
        references,
        linked.kfuncs,
        tuple(_map_spec(name, one) for name, one in named),
        linked.btf,
        linked.func_info,
        linked.line_info,
        program.options,
        program.kind.flags,
        calls=program.calls,
        next=last if program.chain is not None else None,
        prints=linked.prints,
        replaces=program.replaces.__name__ if program.replaces else "",
        types=types,
        variables=_variables(linked),
        addresses=_addresses(linked),
    )
    return Compiled(made, maps)


def _variables(linked: Linked) -> tuple[VariableReference, ...]:
    found = _of(linked, Wanted.VARIABLE.value)
    return tuple(VariableReference(insn, name) for insn, name, _ in found)


def _addresses(linked: Linked) -> tuple[AddressReference, ...]:
    return tuple(
        AddressReference(insn, name, addend, tested=wanted is Wanted.TESTED)
        for wanted in (Wanted.ADDRESS, Wanted.TESTED)
        for insn, name, addend in _of(linked, wanted.value)
    )


def _of(linked: Linked, prefix: str) -> list[tuple[int, str, int]]:
    """The references to symbols that begin so: instruction, the rest of the name, and what is added."""
    return [
        (one.insn, one.symbol.removeprefix(prefix), one.addend)
        for one in linked.references
        if one.symbol.startswith(prefix)
    ]


def _objects(
    program: Program, reach: Reached, maps: tuple[Declaration, ...]
) -> dict[str, StructType]:
    """The classes of objects that a program makes, and that its maps link, by name."""
    found: dict[str, StructType] = {}
    captured = [value for _, names in reach for _, value in names if is_object(value)]
    holders = (*captured, *(one.value for one in maps))
    linked = [kind for holder in holders for kind in objects_of(holder)]
    for kind in dict.fromkeys((*captured, *linked)):
        if found.setdefault(kind.__name__, kind) is not kind:
            problem = f"{program.name} uses two classes of objects named {kind.__name__}"
            raise CompileError(problem, hint="give one of them another name")
    return found


def _refuse_two_attached(program: Program, maps: tuple[Declaration, ...]) -> None:
    """CompileError where a program uses two storages of one type of where it is attached."""
    kinds = [type(one) for one in maps if isinstance(one, AttachedStorage)]
    for kind in kinds:
        if kinds.count(kind) > 1:
            problem = f"{program.name} uses two maps of type {kind.__name__}: the kernel takes one"
            raise CompileError(problem, hint="put what both hold into one Struct")


def _texts(data: bytes) -> Global:
    """The map of constant memory: no program writes it, and it is frozen before one is loaded."""
    kind = StructType("Texts", (Struct,), {"__annotations__": {"data": u8[len(data)]}})
    return Global(kind, kind(data=data), constant=True)


def _map_spec(name: str, declared: Declaration) -> MapSpec:
    return replace(declared.spec(name), name=(declared.name or name)[:NAME])


def _reference(insn: int, symbol: str, addend: int, maps: tuple[Declaration, ...]) -> MapReference:
    index = int(symbol)
    return MapReference(insn, index, addend if isinstance(maps[index], Global) else None)
