from bench import clang, codegen
from bench.codegen import Row
from skep.lang.backend import IrModule, emit
from skep.lang.emit.text import HEAD
from skep.lang.link import link

# Two programs; one calls a function twice, which calls another. A third function is called by nobody.
CODE = """
define i32 @one(ptr %c) section "tp_btf/one" {
  %n = load i64, ptr %c
  %a = call i64 @outer(i64 %n)
  %b = call i64 @outer(i64 %a)
  %r = trunc i64 %b to i32
  ret i32 %r
}
define i32 @two(ptr %c) section "tp_btf/two" {
  ret i32 0
}
define internal i64 @outer(i64 %n) noinline {
  %m = call i64 @inner(i64 %n)
  %s = add i64 %m, 1
  ret i64 %s
}
define internal i64 @inner(i64 %n) noinline {
  %s = mul i64 %n, %n
  ret i64 %s
}
define i64 @other(i64 %n) noinline {
  ret i64 %n
}
"""


def test_a_program_has_the_slots_of_all_that_it_reaches_each_once() -> None:
    (data,) = emit([IrModule("object", HEAD + CODE)])
    sizes = clang.sizes(data)
    assert set(sizes) == {"one", "two"}
    assert sizes == {name: len(link(data, name).insns) // 8 for name in sizes}
    assert sizes["two"] == 2


def test_the_table_has_a_line_a_program() -> None:
    shown = codegen.table([Row("a b", 110, 100), Row("longer name", 9, 10)]).splitlines()
    assert [line.split() for line in shown] == [
        ["program", "ours", "clang", "ratio"],
        ["a", "b", "110", "100", "1.10"],
        ["longer", "name", "9", "10", "0.90"],
    ]
