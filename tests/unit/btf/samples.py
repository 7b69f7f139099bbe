"""BTF blobs for the tests, made with the writer."""

from skep.btf.types import Kind, Member, Param
from skep.btf.writer import Builder


def kernel() -> bytes:
    """A small kernel: a struct with anonymous members and bit fields, qualifiers, functions, enumerations."""
    make = Builder()
    u32 = make.integer("unsigned int", 4)
    u8 = make.integer("unsigned char", 1)
    pair = make.struct("", 8, [Member("low", u32, 0), Member("high", u32, 32)])
    either = make.union("", 8, [Member("whole", u32, 0), Member("", pair, 0)])
    flags = [Member("a", u32, 96, 3), Member("b", u32, 99, 5)]
    name = make.array(u8, u32, 16)
    task = make.struct(
        "task",
        32,
        [Member("pid", u32, 0), Member("", either, 32), *flags, Member("comm", name, 128)],
    )
    const = make.qualified(Kind.CONST, task)
    alias = make.typedef("task_t", make.qualified(Kind.VOLATILE, const))
    tagged = make.type_tag("user", alias)
    pointer = make.ptr(tagged)
    prototype = make.prototype(u32, [Param("task", pointer), Param("", 0)])
    make.func("wake_up", prototype, linkage=1)
    make.typedef("btf_trace_wake", make.ptr(make.prototype(0, [Param("", pointer)])))
    make.enum("reason", [("NONE", 0), ("FULL", 2), ("ALSO_FULL", 2)])
    make.enum("sign", [("MINUS", -1)], signed=True)
    make.enum64("wide", [("HUGE", 1 << 40)])
    make.fwd("elsewhere")
    make.floating("double", 8)
    make.decl_tag("note", task, 1)
    make.datasec(".data", 4, [])
    make.var("counter", u32)
    return make.build()
