"""Objects that programs allocate: what is compiled of them, and where the kernel has none."""

import re

import pytest

from skep.base.errors import CompileError
from skep.btf.reader import Btf
from skep.btf.writer import Builder
from skep.lang import compile as compiler
from skep.lang.finish import finish
from skep.lang.front.scope import Target
from skep.lang.kernel_types import KernelTypes
from skep.lang.objects import data_of
from tests.unit.lang import corpus, prelude
from tests.unit.lang.kernel import TARGET

TWO = """here, there = skep.AttachedStorage(u64), skep.AttachedStorage(u32)


@skep.cgroup("skb_egress")
def p(ctx):
    one, other = here.get(), there.get()
    return 1 if one == other else 0
"""


def test_a_program_uses_one_storage_of_where_it_is_attached() -> None:
    made = corpus.program(TWO)
    (linked,) = compiler.compile_all([made], TARGET)
    with pytest.raises(CompileError) as caught:
        finish(made, linked)
    assert str(caught.value) == (
        "error: p uses two maps of type AttachedStorage: the kernel takes one\n"
        "  hint: put what both hold into one Struct"
    )


DROPS = """@skep.tc("ingress")
def p(ctx):
    entry = Entry.new()
    if entry is not None:
        entry.drop()
    return 2
"""


@pytest.mark.parametrize("size", [0, 16])
def test_a_kernel_without_objects_or_with_smaller_ones_is_told_so(size: int) -> None:
    b = Builder()
    b.func("bpf_obj_new_impl", b.prototype(0, []))
    if size:
        b.struct("bpf_list_node", size, [])
    b.struct("__sk_buff", 8, [])
    target = Target(KernelTypes(Btf(b.build())))
    with pytest.raises(CompileError) as caught:
        compiler.ir(corpus.program(DROPS), target)
    assert caught.value.problem == "this kernel has no objects that programs allocate"
    assert "Linux 6.6" in caught.value.hint


KEEPS = """@skep.tc("ingress")
def p(ctx):
    case, tally = Case.new(), Tally.new_per_cpu()
    if tally is not None:
        tally.drop()
    if case is not None:
        case.inner.clear()
        case.drop()
    return 2
"""


def test_what_a_kernel_with_objects_lacks_of_them_is_told() -> None:
    b = Builder()
    for name in ("bpf_obj_new_impl", "bpf_percpu_obj_new_impl"):
        b.struct("bpf_list_node", 24, [])
        b.struct("__sk_buff", 8, [])
        b.func(name, b.prototype(0, []))
        with pytest.raises(CompileError) as caught:
            compiler.ir(corpus.program(KEEPS), Target(KernelTypes(Btf(b.build()))))
        problem, since = LACKS[name]
        assert (caught.value.problem, since in caught.value.hint) == (problem, True)


LACKS = {
    "bpf_obj_new_impl": ("this kernel has no new_per_cpu()", "Linux 6.7"),
    "bpf_percpu_obj_new_impl": ("this kernel has no objects that keep others", "Linux 6.12"),
}


def test_the_fields_of_a_new_object_are_cleared_and_its_nodes_are_the_kernels() -> None:
    text = compiler.ir(corpus.program(DROPS), TARGET).text
    assert text.count("@type.Entry = external global i8") == 1
    assert "i64 ptrtoint (ptr @type.Entry to i64)" in text
    assert data_of(prelude.Entry) == [(0, 24), (28, 4)]
    assert text.count("i8 0, i64 24, i1 false") == 1


def test_calls_with_objects_of_two_classes_stay_two() -> None:
    """The verifier takes an instruction for a call with objects of one class."""
    source = """@skep.tc("ingress")
def p(ctx):
    entry, loner = Entry.new(), Loner.new()
    if entry is not None:
        entry.drop()
    if loner is not None:
        loner.drop()
    return 2
"""
    text = compiler.ir(corpus.program(source), TARGET).text
    assert len(re.findall(r"call void @bpf_obj_drop_impl\(ptr %\w+, ptr null\) nomerge", text)) == 2
