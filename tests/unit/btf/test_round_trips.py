"""Any types that are written are read back as they were, at their ids; also those on top of a kernel's."""

from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import given, settings
from hypothesis import strategies as some

from skep.btf.reader import Btf
from skep.btf.types import (
    Array,
    Const,
    DataSec,
    DeclTag,
    Enum,
    Enum64,
    Float,
    Func,
    FuncProto,
    Fwd,
    Int,
    Kind,
    Member,
    Param,
    Ptr,
    Restrict,
    Section,
    Struct,
    Type,
    Typedef,
    TypeTag,
    Union,
    Var,
    Volatile,
)
from skep.btf.writer import Builder
from tests.unit.btf.samples import kernel

T = TypeVar("T")


def made(kind: Callable[..., T], *parts: some.SearchStrategy[Any]) -> some.SearchStrategy[T]:
    """Types of a kind of such parts; what is left out has its default."""
    return some.tuples(*parts).map(lambda given: kind(*given))


NAMES = some.text("abcxyz_09", max_size=8)
U32 = some.integers(0, (1 << 32) - 1)
IDS = some.integers(0, 40)
SIZES = some.integers(0, 1 << 20)
BITS = some.integers(0, (1 << 24) - 1)
LINKAGE = some.integers(0, 2)
TRUTH = some.booleans()
PLAIN = some.lists(made(Member, NAMES, IDS, some.integers(0, (1 << 32) - 1)), max_size=4)
BIT_FIELDS = some.lists(made(Member, NAMES, IDS, BITS, some.integers(1, 255)), max_size=4)
MEMBERS = some.one_of(PLAIN, BIT_FIELDS).map(tuple)
PARAMS = some.lists(made(Param, NAMES, some.integers(1, 40)), max_size=4).map(tuple)


def values(bits: int, *, signed: bool) -> some.SearchStrategy[tuple[tuple[str, int], ...]]:
    least, most = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    return some.lists(some.tuples(NAMES, some.integers(least, most)), max_size=4).map(tuple)


def enums(signed: bool) -> some.SearchStrategy[Enum]:  # noqa: FBT001 - a strategy's argument
    sizes = some.sampled_from([1, 2, 4])
    return made(Enum, NAMES, sizes, some.just(signed), values(32, signed=signed))


def wide_enums(signed: bool) -> some.SearchStrategy[Enum64]:  # noqa: FBT001 - as above
    return made(Enum64, NAMES, some.just(8), some.just(signed), values(64, signed=signed))


def integers(size: int) -> some.SearchStrategy[Int]:
    bits = some.integers(1, size * 8)
    return made(Int, NAMES, some.just(size), bits, TRUTH, TRUTH)


SECTIONS = some.lists(made(Section, IDS, U32, U32), max_size=4).map(tuple)
TYPES: some.SearchStrategy[Type] = some.one_of(
    some.sampled_from([1, 2, 4, 8]).flatmap(integers),
    made(Ptr, IDS),
    made(Array, IDS, IDS, U32),
    made(Struct, NAMES, SIZES, MEMBERS),
    made(Union, NAMES, SIZES, MEMBERS),
    some.booleans().flatmap(enums),
    some.booleans().flatmap(wide_enums),
    made(Fwd, NAMES, some.booleans()),
    made(Typedef, NAMES, IDS),
    some.one_of(*(made(one, IDS) for one in (Const, Volatile, Restrict))),
    made(Func, NAMES, IDS, LINKAGE),
    made(FuncProto, IDS, PARAMS, some.booleans()),
    made(Var, NAMES, IDS, LINKAGE),
    made(DataSec, NAMES, SIZES, SECTIONS),
    made(Float, NAMES, SIZES),
    made(DeclTag, NAMES, IDS, some.integers(-1, 1000)),
    made(TypeTag, NAMES, IDS),
)
QUALIFIERS = {Const: Kind.CONST, Volatile: Kind.VOLATILE, Restrict: Kind.RESTRICT}


def prototype(make: Builder, one: FuncProto) -> int:
    more = (Param("", 0),) if one.variadic else ()
    return make.prototype(one.result, (*one.params, *more))


WRITERS: dict[type[Type], Callable[..., int]] = {
    Int: lambda b, t: b.integer(t.name, t.size, signed=t.signed, char=t.char, bits=t.bits),
    Ptr: lambda b, t: b.ptr(t.type_id),
    Array: lambda b, t: b.array(t.element, t.index_type, t.length),
    Struct: lambda b, t: b.struct(t.name, t.size, t.members),
    Union: lambda b, t: b.union(t.name, t.size, t.members),
    Enum: lambda b, t: b.enum(t.name, t.values, size=t.size, signed=t.signed),
    Enum64: lambda b, t: b.enum64(t.name, t.values, signed=t.signed),
    Fwd: lambda b, t: b.fwd(t.name, union=t.union),
    Typedef: lambda b, t: b.typedef(t.name, t.type_id),
    Const: lambda b, t: b.qualified(QUALIFIERS[Const], t.type_id),
    Volatile: lambda b, t: b.qualified(QUALIFIERS[Volatile], t.type_id),
    Restrict: lambda b, t: b.qualified(QUALIFIERS[Restrict], t.type_id),
    Func: lambda b, t: b.func(t.name, t.type_id, linkage=t.linkage),
    FuncProto: prototype,
    Var: lambda b, t: b.var(t.name, t.type_id, linkage=t.linkage),
    DataSec: lambda b, t: b.datasec(t.name, t.size, t.variables),
    Float: lambda b, t: b.floating(t.name, t.size),
    DeclTag: lambda b, t: b.decl_tag(t.name, t.type_id, t.component),
    TypeTag: lambda b, t: b.type_tag(t.name, t.type_id),
}


@settings(max_examples=60)
@given(some.lists(TYPES, max_size=12))
def test_what_is_written_is_read_at_its_id(types: list[Type]) -> None:
    make = Builder()
    ids = [WRITERS[type(one)](make, one) for one in types]
    btf = Btf(make.build())
    assert ids == list(range(1, len(types) + 1))
    assert [btf.type(number) for number in ids] == types
    assert [type(btf.type(number)) for number in ids] == [type(one) for one in types]
    assert btf.count == len(types) + 1


@settings(max_examples=30)
@given(some.lists(TYPES, max_size=8))
def test_a_module_s_types_are_read_on_top_of_the_kernel_s(types: list[Type]) -> None:
    base = Btf(kernel())
    make = Builder(base.count, base.string_end)
    ids = [WRITERS[type(one)](make, one) for one in types]
    module = Btf(make.build(), base)
    assert [module.type(number) for number in ids] == types
    assert all(module.is_own(number) for number in ids)
    assert [module.type(one) for one in range(base.count)] == [
        base.type(one) for one in range(base.count)
    ]
