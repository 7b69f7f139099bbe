"""The functions of sessions, which take the context on newer kernels and nothing before: one program for both."""

import pytest

from skep.btf.reader import Btf
from skep.btf.types import Member, Param
from skep.btf.writer import Builder
from skep.lang import compile as compiler
from skep.lang.front.scope import Target
from skep.lang.kernel_types import KernelTypes
from skep.lang.tree import ContextValue, KernelCall, Local, walk
from tests.unit.lang import corpus

PROGRAM = (
    'cookie = skep.kfunc("bpf_session_cookie")\n'
    '@skep.kprobe_session("do_unlinkat")\n'
    "def p(ctx):\n    number = cookie({})\n    number[0] = 1\n    return 0\n"
)


def target(*parameters: str) -> Target:
    """A kernel whose function has parameters of those names."""
    b = Builder()
    number, void = b.integer("unsigned long", 8), b.ptr(0)
    params = [Param(name, void) for name in parameters]
    b.struct("pt_regs", 8, [Member("ip", number, 0)])
    b.func("bpf_session_cookie", b.prototype(b.ptr(number), params))
    return Target(KernelTypes(Btf(b.build())))


@pytest.mark.parametrize(
    ("parameters", "written", "given"),
    [((), "", []), (("ctx",), "", [ContextValue]), (("ctx",), "ctx", [Local])],
)
def test_the_context_is_given_where_the_kernel_takes_it(
    parameters: tuple[str, ...], written: str, given: list[type]
) -> None:
    entry = compiler.tree(corpus.program(PROGRAM.format(written)), target(*parameters))
    (call,) = (node for node in walk(*entry.body) if isinstance(node, KernelCall))
    assert [type(argument) for argument in call.args] == given
