"""A program that stands in for one function of another: the same to the kernel, found by name, compiled for that."""

from dataclasses import replace

import pytest

import skep
from skep.btf.reader import Btf
from skep.btf.types import Kind
from skep.kernel.preparing import function_id
from skep.lang import compile as compiler
from skep.lang.finish import finish
from skep.lang.programs import Program
from skep.lang.spec import ProgramSpec
from skep.program.objects import key
from tests.unit.lang import corpus
from tests.unit.lang.kernel import TARGET
from tests.unit.lang.test_global_functions import signature
from tests.unit.program.test_objects import Host

REPLACED = """@skep.global_function
def f(ctx, pair: Pair, n: u16) -> u64:
    return 0


@skep.xdp
def asks(ctx):
    return s32(f(ctx, Pair(1, 2), 3))


@skep.freplace(asks, f)
def other(ctx, pair: Pair, n: u16) -> u64:
    value = ctx.view(u8, n)
    return 0xFFFFFFFF00 if pair is None or value is None else pair.first
"""


def asked(program: Program) -> Program:
    """The program that one is loaded onto."""
    assert program.onto is not None
    return program.onto


def compiled(program: Program) -> ProgramSpec:
    return finish(program, compiler.compile_all([program], TARGET)[0]).spec


def test_what_stands_in_for_a_function_is_what_that_is_to_the_kernel() -> None:
    program = corpus.program(REPLACED)
    one, other = Btf(compiled(asked(program)).btf), Btf(compiled(program).btf)
    assert signature(other, "other") == signature(one, "f")
    assert other.find(Kind.FUNC, "f") is None


def test_what_stands_in_for_a_function_gives_its_whole_result_as_plain_python() -> None:
    assert corpus.program(REPLACED).py(b"", None, 0) == 0xFFFFFFFF00


def test_another_function_to_replace_gives_another_key() -> None:
    """A change of its types is found while compiling, so a cached object may not hide it."""
    keys = []
    for number in ("u16", "u32"):
        source = REPLACED.replace(
            "n: u16) -> u64:\n    return 0", f"n: {number}) -> u64:\n    return 0"
        )
        keys.append(key(corpus.program(source), Host(""), "compiler"))
    assert keys[0] != keys[1]


def test_the_function_that_is_replaced_is_found_in_the_types_of_its_program() -> None:
    spec = compiled(asked(corpus.program(REPLACED)))
    assert Btf(spec.btf).name(function_id(spec, "f")) == "f"
    with pytest.raises(skep.Unsupported, match=r"asks: it calls no global function of that name"):
        function_id(spec, "g")
    with pytest.raises(skep.Unsupported, match="calls no global function"):
        function_id(replace(spec, btf=b""), "f")


def test_of_several_functions_of_one_name_none_is_replaced() -> None:
    source = (
        "@skep.global_function\ndef f(table, n: u32) -> u64:\n    return table.increment(n)\n\n\n"
        "@skep.xdp\ndef p(ctx):\n    f(counts, 1)\n    f(per_cpu, 1)\n    return 2\n"
    )
    spec = compiled(corpus.program(source))
    with pytest.raises(skep.Unsupported, match="it has 2 of that name"):
        function_id(spec, "f")
