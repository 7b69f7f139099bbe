"""Programs on functions of modules: typed by the module's types on top of the kernel's."""

import pytest

from skep.btf.reader import Btf
from skep.btf.types import Kind, Member
from skep.btf.writer import Builder
from skep.lang import compile as compiler
from skep.lang.kernel_types import KernelTypes
from skep.lang.modules import split
from skep.lang.tree import KernelCall, Load, walk
from skep.lang.types import s32, u64
from skep.lang.values import KernelStruct
from tests.unit.lang import corpus
from tests.unit.lang.kernel import TARGET

HOOKED = '@skep.{}("veth:{}")\ndef p({}):\n    return {}\n'


def fields(kind: str, function: str, parameters: str, result: str) -> list[tuple[int, object]]:
    """Offsets and types of what such a program reads."""
    program = corpus.program(HOOKED.format(kind, function, parameters, result))
    entry = compiler.tree(program, TARGET)
    loads = [node.place for node in walk(*entry.body) if isinstance(node, Load)]
    return sorted((place.offset, place.type) for place in loads)


def test_a_struct_that_only_the_module_has_is_read_as_it_is_there() -> None:
    found = fields("fmod_ret", "veth_poll", "rq, budget", "s32(rq.dropped) + s32(rq.dev)")
    assert found == [(0, u64), (8, u64)]


def test_the_module_is_looked_at_before_the_kernel() -> None:
    """A static function may have the name of another."""
    program = corpus.program(HOOKED.format("fentry", "do_unlinkat", "rq", "0"))
    (parameter,) = compiler.tree(program, TARGET).parameters
    assert isinstance(parameter.type.target, KernelStruct)
    assert parameter.type.target.name == "veth_rq"


def test_the_result_is_that_of_the_module_s_function() -> None:
    program = corpus.program(HOOKED.format("fexit", "veth_poll", "budget, result", "0"))
    parameters = compiler.tree(program, TARGET).parameters
    assert parameters[-1].type is s32


@pytest.mark.parametrize(
    ("kind", "hook", "found"),
    [
        ("fentry", "veth:veth_xmit", ("veth", "veth_xmit")),
        ("fexit", "do_unlinkat", ("", "do_unlinkat")),
        ("usdt", "libc:libc:setjmp", ("", "libc:libc:setjmp")),
        ("uprobe", "libc:malloc", ("", "libc:malloc")),
    ],
)
def test_what_stands_before_a_colon_is_a_module_where_functions_have_types(
    kind: str, hook: str, found: tuple[str, str]
) -> None:
    assert split(kind, hook) == found


CALLED = """@skep.tp_btf("sched_process_exec")
def p(task):
    queue = queue_of(task.pid)
    if queue is not None:
        dropped = queue.dropped
        queue_put(queue)
        return dropped
    return 0
"""


def test_functions_of_a_module_are_called_with_its_types() -> None:
    program = corpus.program(CALLED)
    entry = compiler.tree(program, TARGET)
    calls = {one.name: one for one in walk(*entry.body) if isinstance(one, KernelCall)}
    assert calls["bpf_veth_put"].symbol == "veth:bpf_veth_put"
    assert calls["bpf_veth_rq"].type.target.module == "veth"
    assert 8 in [one.place.offset for one in walk(*entry.body) if isinstance(one, Load)]
    text = str(compiler.ir(program, TARGET))
    assert 'declare ptr @"veth:bpf_veth_rq"(i32 signext) section ".ksyms"' in text


def test_structs_of_two_modules_with_one_number_are_two() -> None:
    """The numbers of both go on from those of the kernel."""
    base = TARGET.types.btf
    word = base.find(Kind.INT, "int")
    assert word is not None

    def types(name: str) -> KernelTypes:
        make = Builder(base.count, base.string_end)
        make.struct("same", 16, [Member("at", word, 32 if name == "one" else 64)])
        return KernelTypes(Btf(make.build(), base), name, types)

    here = KernelTypes(base, modules=types)
    structs = [types(name).struct("same") for name in ("one", "two")]
    assert structs[0] != structs[1]
    offsets = [found.offset for s in structs if s and (found := here.member(s, "at"))]
    assert offsets == [4, 8]
    assert [here.members(s) for s in structs if s] == [["at"], ["at"]]
    assert [one.begins(s, "same") for one in (here, types("two")) for s in structs if s] == [
        True
    ] * 4


def test_a_struct_of_numbers_is_any_memory_of_the_program_s_own() -> None:
    types = TARGET.types
    source = "@skep.xdp\ndef p(ctx):\n    room = u64[2]()\n    return sums_of(room)\n"
    assert "call i32 @bpf_sums(ptr %" in compiler.ir(corpus.program(source), TARGET).text
    plain = {name: types.is_plain(types.struct(name)) for name in ("sums", "task_struct", "file")}
    assert plain == {"sums": True, "task_struct": False, "file": True}
    assert not types.is_plain(types.struct("sums"), 1)
