"""Types of several programs and their maps in one blob: each number and name still says what it said."""

import struct
from dataclasses import replace

from skep import Array, List, ListNode, Object, RefCount, SpinLock, Struct, Tree, TreeNode
from skep.btf.reader import Btf
from skep.btf.types import DeclTag, Func, Kind, Member, Param
from skep.btf.writer import Builder
from skep.kernel.programs import Types
from skep.kernel.shared_types import SharedTypes
from skep.lang.spec import ProgramSpec, TypeReference
from skep.lang.types import u8, u32, u64
from skep.testing.door import FakeDoor
from tests.unit.kernel.samples import RETURN, insn, program

WIDE = insn(0x18, 1) + bytes(8)


class Entry(Object):
    small: u8
    holders: RefCount
    node: ListNode
    key: u64
    sorted: TreeNode


class Bucket(Struct):
    total: u32
    lock: SpinLock
    entries: List[Entry]
    tree: Tree[Entry]


BUCKETS = Array(Bucket, 1).spec("buckets")


class Outer(Object):
    entries: List[Entry]
    number: u32
    lock: SpinLock
    node: ListNode


class Nest(Struct):
    lock: SpinLock
    outers: List[Outer]


NESTS = Array(Nest, 1).spec("nests")


def typed(name: str, insns: bytes = RETURN, types: tuple[TypeReference, ...] = ()) -> ProgramSpec:
    """A program whose types are of many kinds, with a record of its function and of a line."""
    b = Builder()
    word = b.integer(f"word_of_{name}", 4)
    array = b.array(word, word, 3)
    b.enum(f"enum_of_{name}", [(f"ONE_{name}", 1)])
    b.enum64(f"wide_of_{name}", [(f"TWO_{name}", 2)])
    pair = b.struct(f"pair_of_{name}", 16, [Member("a", word, 0), Member("b", array, 32)])
    prototype = b.prototype(word, [Param("ctx", b.ptr(pair))])
    function = b.func(name, prototype)
    file, line = b.string(f"{name}.py"), b.string(f"def {name}(ctx):")
    spec = program(insns=insns, maps=(BUCKETS,))
    return ProgramSpec(
        *(name, spec.kind, spec.target, "GPL", insns, (), (), spec.maps, b.build()),
        struct.pack("<II", 0, function),
        struct.pack("<IIII", 0, file, line, 7 << 10),
        types=types,
    )


def string(blob: bytes, offset: int) -> str:
    """A string of a blob."""
    types, strings = struct.unpack_from("<II", blob, 12)
    start = 24 + strings + offset
    assert types == strings
    return blob[start : blob.index(b"\0", start)].decode()


def test_functions_and_lines_of_each_program_are_its_own() -> None:
    made = SharedTypes.make([typed("one"), typed("two")], door=FakeDoor())
    for spec, name in zip(made.specs, ("one", "two"), strict=True):
        btf = Btf(spec.btf)
        _, function = struct.unpack("<II", spec.func_info)
        assert (btf.name(function), btf.prototype(function).params[0].name) == (name, "ctx")
        _, file, line, column = struct.unpack("<IIII", spec.line_info)
        assert (string(spec.btf, file), column) == (f"{name}.py", 7 << 10)
        assert string(spec.btf, line) == f"def {name}(ctx):"
    assert made.specs[0].btf == made.specs[1].btf


def test_types_refer_to_those_of_their_own_program() -> None:
    made = SharedTypes.make([typed("one"), typed("two")], door=FakeDoor())
    btf = Btf(made.specs[0].btf)
    for name in ("one", "two"):
        pair = btf.find(Kind.STRUCT, f"pair_of_{name}")
        enum, wide = (
            btf.find(Kind.ENUM, f"enum_of_{name}"),
            btf.find(Kind.ENUM64, f"wide_of_{name}"),
        )
        assert pair is not None
        assert enum is not None
        assert wide is not None
        members = list(btf.fields(pair))
        assert [(m.name, m.bit_offset) for m in members] == [("a", 0), ("b", 32)]
        assert btf.name(members[0].type_id) == f"word_of_{name}"
        array = btf.type(members[1].type_id)
        assert btf.name(array.element) == f"word_of_{name}"  # type: ignore[union-attr] # an Array
        assert btf.type(enum).values == ((f"ONE_{name}", 1),)  # type: ignore[union-attr] # an Enum
        assert btf.type(wide).values == ((f"TWO_{name}", 2),)  # type: ignore[union-attr] # an Enum64


def test_a_map_names_the_objects_that_programs_make_by_number() -> None:
    reference = (TypeReference(0, Entry),)
    made = SharedTypes.make([typed("one"), typed("two", WIDE + RETURN, reference)], door=FakeDoor())
    btf, layout = Btf(made.specs[0].btf), made.layout(BUCKETS)
    assert layout is not None
    assert layout.btf_fd == made.fd
    number = int.from_bytes(made.specs[1].insns[4:8], "little")
    name = btf.name(number)
    notes = [btf.type(one) for one in range(1, btf.count)]
    found = {(n.name, n.type_id, n.component) for n in notes if isinstance(n, DeclTag)}
    assert found == {
        (f"contains:{name}:node", layout.value_id, 2),
        (f"contains:{name}:sorted", layout.value_id, 3),
    }
    assert [(m.name, m.bit_offset // 8) for m in btf.fields(number)] == [
        ("data0", 0),
        ("holders", 4),
        ("node", 8),
        ("data32", 32),
        ("sorted", 40),
    ]
    assert (btf.size(number), btf.size(layout.value_id)) == (Entry.size, Bucket.size)


def test_a_list_in_an_object_is_told_of_as_one_in_a_value_is() -> None:
    spec = replace(typed("one", WIDE + RETURN, (TypeReference(0, Outer),)), maps=(NESTS,))
    made = SharedTypes.make([spec], door=FakeDoor())
    btf, layout = Btf(made.specs[0].btf), made.layout(NESTS)
    assert layout is not None
    outer = int.from_bytes(made.specs[0].insns[4:8], "little")
    notes = [btf.type(one) for one in range(1, btf.count)]
    told = {(n.type_id, n.component): n.name for n in notes if isinstance(n, DeclTag)}
    assert told.keys() == {(outer, 0), (layout.value_id, 1)}
    assert told[layout.value_id, 1] == f"contains:{btf.name(outer)}:node"
    (_, entry, node) = told[outer, 0].split(":")
    found = btf.find(Kind.STRUCT, entry)
    assert node == "node"
    assert found is not None
    assert btf.size(found) == Entry.size
    assert [(m.name, m.bit_offset // 8) for m in btf.fields(outer)] == [
        ("entries", 0),
        ("data16", 16),
        ("lock", 20),
        ("node", 24),
    ]


def test_a_program_that_comes_later_has_the_numbers_of_those_before() -> None:
    made = SharedTypes.make(
        [typed("one", WIDE + RETURN, (TypeReference(0, Entry),))], door=FakeDoor()
    )
    later = typed("later", insn(0xB7) + WIDE + RETURN, (TypeReference(1, Entry),))
    joined = made.join(later)
    assert joined is not None
    assert joined is made.specs[1]
    number = made.specs[0].insns[4:8]
    assert joined.insns[12:16] == number
    assert made.types(made.specs[0]) == Types(made.fd)
    _, function = struct.unpack("<II", made.types(joined).functions)
    found = Btf(made.specs[0].btf).type(function)
    assert isinstance(found, Func)
    assert (found.linkage, Btf(made.specs[0].btf).prototype(function).params) == (0, ())


def test_a_program_that_needs_other_types_does_not_come_later() -> None:
    made = SharedTypes.make([typed("one")], door=FakeDoor())
    assert made.join(typed("other", WIDE + RETURN, (TypeReference(0, Outer),))) is None
    assert made.join(replace(typed("maps"), maps=(NESTS,))) is None
    assert made.join(typed("same")) is not None


def test_maps_without_lists_have_types_of_their_own() -> None:
    made = SharedTypes.make([typed("one")], door=FakeDoor())
    assert made.layout(Array(u32, 1).spec("plain")) is None
    made.close()
    assert made.fd == -1
