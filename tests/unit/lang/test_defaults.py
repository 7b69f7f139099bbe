"""What a parameter is where a call leaves it out: part of what a program captures, and the same as plain Python."""

import linecache
from typing import Any

import skep
from skep.lang.capture import declarations, fingerprint
from skep.lang.programs import Program
from tests.unit.lang import corpus
from tests.unit.lang.prelude import counts

SOURCE = """
def counted(key: u32, table=counts, by=LIMIT, more: u32 = 1):
    table.increment(key, by)
    return key + more


@skep.xdp
def p(ctx):
    return counted(u32(5)) + counted(more=u32(7), key=u32(6))
"""


def made(limit: int) -> Program:
    """The program, with another number behind a name of its default."""
    file = "defaults.py"
    linecache.cache[file] = (len(SOURCE), None, SOURCE.splitlines(keepends=True), file)
    space: dict[str, Any] = {**corpus.namespace(), "LIMIT": limit}
    exec(compile(SOURCE, file, "exec"), space)
    program: Program = space["p"]
    return program


def test_a_default_is_captured_with_its_value() -> None:
    assert fingerprint(made(3)) == fingerprint(made(3))
    assert fingerprint(made(3)) != fingerprint(made(4))
    assert [name for name, _ in declarations(made(3))] == ["table"]


def test_as_plain_python_what_is_left_out_is_the_default() -> None:
    kernel = skep.FakeKernel()
    assert made(3).py(bytes(14), kernel=kernel) == 6 + 13
    assert dict(kernel[counts]) == {5: 3, 6: 3}
