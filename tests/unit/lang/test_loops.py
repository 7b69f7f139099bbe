"""How loops run: which are followed by the verifier, which the kernel counts, and what it then takes."""

import re

import pytest

from skep.lang import compile as compiler
from skep.lang.check.loops import Lowering, lowerings
from skep.lang.front.scope import Target
from skep.lang.kernel_types import KernelTypes
from skep.lang.reach import reachable
from skep.lang.tree import For, While, walk
from tests.unit.lang import corpus
from tests.unit.lang.kernel import TARGET

HEAD = "@skep.xdp\ndef p(ctx):\n    n = ctx.ingress_ifindex\n"


class Iterating(KernelTypes):
    """A kernel with iterators."""

    def function(self, name: str) -> bool:
        """Whatever it is."""
        return bool(name)


WITH = Target(Iterating(TARGET.types.btf))


def how(lines: str, target: Target = WITH) -> list[Lowering]:
    """The lowerings of the loops of a program, in the order of their lines."""
    body = "".join(f"    {line}\n" for line in lines.splitlines())
    entry = compiler.tree(corpus.program(HEAD + body), target)
    functions = reachable(entry)
    found = lowerings(functions, iterates=target.iterates)
    loops = [node for f in functions for node in walk(*f.body) if isinstance(node, For | While)]
    return [found(node) for node in sorted(loops, key=lambda n: n.span.line)]


def text(lines: str, target: Target = WITH) -> str:
    """The LLVM text of a program, without debug information."""
    body = "".join(f"    {line}\n" for line in lines.splitlines())
    made = compiler.ir(corpus.program(HEAD + body), target).text
    return re.sub(r", !dbg !\d+", "", made.partition("!llvm.dbg.cu")[0])


@pytest.mark.parametrize(
    "lines",
    [
        "for i in range(1000):\n    STATE.big += i",
        "for i in range(n & 255):\n    STATE.big += i",
        "for i in range(1000, 0, -7):\n    STATE.big += i",
        "while n > 0:\n    STATE.big += n\n    n >>= 1",
        "i = 0\nwhile i < 100:\n    i += 3",
        "i = 0\nwhile i <= 100 and n != 5:\n    i += 1",
        "i = 12\nwhile i != 0:\n    i -= 3",
        "i = 9\nwhile i >= 0:\n    i -= 2",
    ],
)
def test_a_loop_with_a_small_bound_is_followed(lines: str) -> None:
    assert how(lines) == [Lowering.PLAIN]


@pytest.mark.parametrize(
    "lines",
    [
        "for i in range(n):\n    STATE.big += i",
        "for i in range(1 << 20):\n    STATE.big += i",
        "for i in range(n, 100):\n    STATE.big += i",
        "while n != 1:\n    n = n * 3 + 1",
        "while n > 0:\n    if n == 7:\n        continue\n    n >>= 1",
        "while n > 0:\n    if n & 1:\n        n -= 1\n    n -= 1",
        "i = 0\nif n:\n    i = 5\nwhile i < 100:\n    i += 3",
        "i = 1\nwhile i != 0:\n    i -= 2",
        "i = 0\nwhile i < 5 or n:\n    i += 1",
    ],
)
def test_any_other_loop_is_counted_by_the_kernel(lines: str) -> None:
    assert how(lines) == [Lowering.ITERATOR]
    assert how(lines, TARGET) == [Lowering.CALLBACK]
    assert how(lines, Target(WITH.types, callbacks=True)) == [Lowering.CALLBACK]


def test_loops_in_loops_are_followed_from_the_inside_as_far_as_that_is_short() -> None:
    lines = "for i in range(1000):\n    for j in range(1000):\n        STATE.big += j"
    assert how(lines) == [Lowering.ITERATOR, Lowering.PLAIN]


def test_what_a_function_does_counts_where_it_is_called() -> None:
    before = "def f(n: u32):\n    for i in range(500):\n        STATE.big += i\n\n\n"
    program = corpus.program(before + HEAD + "    for i in range(500):\n        f(i)\n")
    entry = compiler.tree(program, WITH)
    (node,) = [n for n in walk(*entry.body) if isinstance(n, For)]
    assert lowerings(reachable(entry), iterates=True)(node) is Lowering.ITERATOR


def test_a_counter_around_a_loop_over_an_iterator_may_be_forgotten() -> None:
    """Of the numbers around that loop the verifier keeps none that differs from round to round."""
    lines = "i = 9\nwhile i >= 0:\n    i -= 2\n    for j in range(n):\n        STATE.big += j"
    assert how(lines) == [Lowering.ITERATOR, Lowering.ITERATOR]
    before = "def f(n: u32):\n    for i in range(n):\n        STATE.big += i\n\n\n"
    body = "    i = 9\n    while i >= 0:\n        i -= 2\n        f(n)\n"
    entry = compiler.tree(corpus.program(before + HEAD + body), WITH)
    (node,) = [n for n in walk(*entry.body) if isinstance(n, While)]
    assert lowerings(reachable(entry), iterates=True)(node) is Lowering.ITERATOR


def test_every_way_out_of_an_iterator_ends_it() -> None:
    code = text(
        "for i in range(n):\n    if i == 3:\n        return 1\n    if i == 4:\n        break"
    )
    assert code.count("@bpf_iter_num_destroy(ptr %") == 2
    assert code.count("@bpf_iter_num_new(ptr %") == 1


def test_a_round_of_a_constant_range_has_a_number_below_its_end() -> None:
    code = text("for i in range(1 << 20):\n    STATE.big += i")
    assert re.search(r"icmp ult i32 %t\d+, 1048576", code)


def test_the_kernel_counts_no_further_than_it_can() -> None:
    assert "i32 8388608)" in text("while n != 1:\n    n = n * 3 + 1")
    assert "i32 8388608)" in text("for i in range(1 << 30):\n    if i == n:\n        break")


def test_a_body_that_the_kernel_calls_is_a_function_with_lines_of_its_own() -> None:
    code = text("for i in range(n):\n    if i == 7:\n        return 4", TARGET)
    assert "define internal i64 @p_loop0(i64 %index, ptr %frame) noinline" in code
    assert "i64 181 to ptr" in code


def test_equal_programs_with_long_loops_give_equal_text() -> None:
    lines = "k = 0\nfor i in range(n, n * 2):\n    for j in range(i):\n        k += j\nreturn k"
    assert text(lines, TARGET) == text(lines, TARGET)
