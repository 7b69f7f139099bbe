"""Where the parameters of each kind of program lie in its context, and of what types they are."""

from dataclasses import replace

import pytest

import skep
from skep.base.errors import CompileError
from skep.btf.reader import Btf
from skep.btf.types import Member
from skep.btf.writer import Builder
from skep.lang.compile import tree
from skep.lang.decorators.tracing import iterator
from skep.lang.kernel_types import KernelTypes, Signature
from skep.lang.programs import Program
from skep.lang.tree import Argument, ContextValue, Convert, Load, Parameter, Select
from skep.lang.types import s32, s64, u32, u64
from skep.lang.values import KernelPointer, KernelStruct, Memory, Pointer
from tests.unit.lang.kernel import TARGET

DI, SI, CX, AX = 14, 13, 11, 10  # words of struct pt_regs on x86-64


def parameters(program: Program) -> dict[str, Parameter]:
    return {one.name: one for one in tree(program, TARGET).parameters}


def slot(parameter: Parameter) -> int:
    assert isinstance(parameter.value, Argument)
    return parameter.value.index


def two(dfd: object, name: object) -> int:
    """Both arguments."""
    return 0


def three(a: object, pair: object, b: object) -> int:
    """A number, a struct, a number."""
    return 0


def narrow(path: object, fd: s32) -> int:
    """A number as it is, and a narrower one."""
    return 0


def ended(dfd: object, result: object) -> int:
    """The first argument and the result."""
    return 0


def alone(result: object) -> int:
    """The result."""
    return 0


def annotated(ctx: object, dfd: u32) -> int:
    """The registers, and a narrower argument."""
    return 0


def one(sk: object) -> int:
    """An object."""
    return 0


def test_the_arguments_of_a_function_are_words_of_the_context_and_trusted() -> None:
    found = parameters(skep.fentry("do_unlinkat")(two))
    assert [slot(p) for p in found.values()] == [0, 1]
    assert found["dfd"].type is s32
    assert isinstance(found["name"].type, Pointer)
    assert found["name"].type.memory is Memory.KERNEL


def test_the_result_lies_behind_all_arguments() -> None:
    for decorate in (skep.fexit("do_unlinkat"), skep.fmod_ret("do_unlinkat")):
        found = parameters(decorate(ended))
        assert (slot(found["dfd"]), slot(found["result"]), found["result"].type) == (0, 2, s32)
    assert slot(parameters(skep.fexit("do_unlinkat")(alone))["result"]) == 2
    assert slot(parameters(skep.lsm("file_open")(alone))["result"]) == 1


def test_a_probe_reads_arguments_from_registers() -> None:
    found = parameters(skep.kprobe("do_unlinkat")(two))
    assert [slot(p) for p in found.values()] == [DI, SI]
    assert isinstance(found["name"].type, Pointer)
    assert found["name"].type.memory is Memory.PROBE
    result = parameters(skep.kretprobe("do_unlinkat")(alone))["result"]
    assert (slot(result), result.type) == (AX, s32)


def test_a_system_call_has_its_arguments_in_the_registers_of_the_process() -> None:
    found = parameters(skep.ksyscall("openat")(narrow))
    assert [p.type for p in found.values()] == [u64, s32]
    value = found["fd"].value
    assert isinstance(value, Convert)
    assert isinstance(value.operand, Load)
    place = value.operand.place
    assert (place.offset, place.base.type.memory) == (8 * SI, Memory.PROBE)
    assert isinstance(place.base, Argument)
    assert place.base.index == DI
    assert slot(parameters(skep.kretsyscall("openat")(alone))["result"]) == AX


def test_an_instruction_further_in_has_registers_only() -> None:
    found = parameters(skep.kprobe("do_unlinkat", offset=8)(two))
    assert [p.type for p in found.values()] == [u64, u64]


def test_the_context_is_the_registers_wherever_it_stands() -> None:
    found = parameters(skep.uprobe("app", "f")(annotated))
    assert isinstance(found["ctx"].value, ContextValue)
    assert (slot(found["dfd"]), found["dfd"].type) == (DI, u32)


def test_functions_share_the_types_that_are_the_same() -> None:
    found = parameters(skep.kprobe_multi("do_unlinkat", "do_rmdir")(two))
    assert [p.type for p in found.values()] == [s32, u64]
    unknown = parameters(skep.kprobe_multi("do_*")(two))
    assert [p.type for p in unknown.values()] == [u64, u64]


def test_a_static_probe_reads_where_its_notes_say() -> None:
    found = parameters(skep.usdt("app", "skep:two")(two))
    assert isinstance(found["dfd"].value, Select)
    assert (found["dfd"].type, found["name"].type) == (s32, u64)


def test_a_machine_with_other_registers_reads_no_arguments_of_static_probes() -> None:
    make = Builder()
    word = make.integer("unsigned long", 8)
    make.struct("pt_regs", 248, [Member("regs", make.array(word, word, 31), 0)])
    other = replace(TARGET, types=KernelTypes(Btf(make.build())))
    with pytest.raises(CompileError, match="static probes are read on x86-64 only"):
        tree(skep.usdt("app", "skep:two")(two), other)


def test_an_object_of_a_table_is_what_the_verifier_takes_it_for() -> None:
    found = parameters(skep.struct_ops("tcp_congestion_ops.ssthresh")(one))["sk"].type
    assert isinstance(found, Pointer)
    assert isinstance(found.target, KernelStruct)
    assert (found.target.name, found.memory) == ("tcp_sock", Memory.KERNEL)


def test_the_context_of_an_iterator_is_named_by_what_it_goes_over() -> None:
    found = parameters(iterator("task")(one))["sk"].type
    assert isinstance(found, Pointer)
    assert found.target.name == "bpf_iter__task"


def test_a_struct_by_value_takes_as_many_words_as_it_fills() -> None:
    signature = TARGET.types.signature("takes_a_struct")
    assert signature is not None
    assert (signature.slots, signature.end) == ((0, 1, 3), 4)


def test_a_struct_by_value_takes_as_many_registers() -> None:
    found = parameters(skep.kprobe("takes_a_struct")(three))
    assert [slot(p) for p in found.values()] == [DI, SI, CX]
    assert found["b"].type is s32


@pytest.mark.parametrize("others", [1, 3])
def test_what_only_some_functions_have_has_no_type(others: int) -> None:
    pointer = KernelPointer(None)
    first = Signature((s32, pointer), s64, (0, 1), 2)
    other = Signature((s32, pointer, u32)[:others], s32, tuple(range(others)), others)
    shared = first.shared([other])
    assert shared.arguments[0] is s32
    assert len(shared.arguments) == max(2, others)
    assert shared.result is None
    assert (shared.arguments[1] is pointer) is (others > 1)
