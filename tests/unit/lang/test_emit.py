"""The LLVM text of programs: what the verifier needs of it. What it computes is tested in the kernel."""

import re

import pytest

from skep.lang import compile as compiler
from skep.lang.backend import IrModule, emit
from skep.lang.elf import read
from skep.lang.lines import Lines
from tests.unit.lang import corpus
from tests.unit.lang.kernel import TARGET

XDP = "@skep.xdp\ndef p(ctx):\n"


def module(lines: str, head: str = XDP) -> IrModule:
    body = "".join(f"    {line}\n" for line in lines.splitlines())
    return compiler.ir(corpus.program(f"{head}{body}"), TARGET)


def text(lines: str, head: str = XDP) -> str:
    """The module's code, without debug information."""
    return re.sub(r", !dbg !\d+", "", module(lines, head).text.partition("!llvm.dbg.cu")[0])


def test_fields_of_the_context_are_reached_by_fixed_offsets() -> None:
    code = text(
        "if ctx.ingress_ifindex > 5:\n    return ctx.ingress_ifindex\nreturn ctx.rx_queue_index"
    )
    assert len(re.findall(r"call ptr @llvm.preserve.static.offset\(ptr %\w+\)", code)) == 3


def test_a_signed_division_uses_no_instruction_that_v3_lacks() -> None:
    code = text(
        "return task.tgid // old_pid + task.tgid % old_pid",
        '@skep.tp_btf("sched_process_exec")\ndef p(task, old_pid):\n',
    )
    assert "sdiv" not in code
    assert "srem" not in code


def test_a_division_cannot_be_by_zero_nor_a_shift_beyond_the_width() -> None:
    code = text("return ctx.ingress_ifindex // ctx.rx_queue_index + (1 << ctx.rx_queue_index)")
    assert "icmp eq i32" in code
    assert re.search(r"and i64 %t\d+, 63", code)


def test_a_big_endian_field_is_swapped() -> None:
    code = text("STATE.port += 1")
    assert code.count("call i16 @llvm.bswap.i16") == 2


@pytest.mark.parametrize(
    ("field", "shifts"), [("nice", "shl i32 %t, 20 ashr i32 %t, 26"), ("policy", "lshr i32 %t, 1")]
)
def test_a_bit_field_is_cut_out_of_its_unit_with_its_sign(field: str, shifts: str) -> None:
    head = '@skep.tp_btf("sched_process_exec")\ndef p(task):\n'
    code = re.sub(r"%t\d+", "%t", text(f"return s32(task.{field})", head))
    assert " ".join(re.findall(r"(?:shl|ashr|lshr) i32 %t, \d+", code)) == shifts


def test_counting_is_atomic_but_in_a_map_of_each_cpu() -> None:
    assert "atomicrmw add" in text("counts.increment(1)")
    assert "atomicrmw" not in text("per_cpu.increment(1)")


def test_an_atomic_result_that_nobody_wants_is_not_fetched() -> None:
    assert "monotonic" in text("skep.atomic_add(STATE.big, 1)")
    assert "seq_cst" in text("n = skep.atomic_add(STATE.big, 1)\nSTATE.big = n")


def test_only_maps_that_are_used_are_declared() -> None:
    code = text("counts.increment(1)")
    assert re.findall(r"@map\.\d+ = external global i8", code) == ["@map.0 = external global i8"]


def test_a_ring_that_is_polled_looks_at_no_doorbell() -> None:
    lines = "e = ring.reserve()\nif e is not None:\n    e.submit()"
    assert "icmp eq i32" in text(lines)
    silent = text(lines, "ring = skep.Ring(Note, wakeup='none')\n\n\n" + XDP)
    assert "icmp eq i32" not in silent
    assert re.search(r"\(i64 132 to ptr\)\(ptr %t\d+, i64 1\)", silent)


def test_a_reserved_record_is_stamped() -> None:
    code = text("e = ring.reserve()\nif e is not None:\n    e.submit()")
    for helper in (131, 125, 8, 132):  # reserve, boot time, CPU, submit
        assert f"inttoptr (i64 {helper} to ptr)" in code


@pytest.mark.parametrize(
    ("decorator", "attribute"), [("@skep.noinline", "noinline"), ("@skep.inline", "alwaysinline")]
)
def test_a_function_is_inlined_as_its_decorator_says(decorator: str, attribute: str) -> None:
    before = f"{decorator}\ndef f(n: u32):\n    return n + 1\n\n\n"
    assert re.search(
        rf"define internal i32 @f\.1\(i32 zeroext %p0\) {attribute} ",
        text("return f(ctx.ingress_ifindex)", before + XDP),
    )


def test_a_function_of_more_arguments_than_registers_is_inlined() -> None:
    before = "def f(a, b, c, d, e, g):\n    return a + b + c + d + e + g\n\n\n"
    code = text("return f(1, 2, 3, 4, 5, 6)", before + XDP)
    assert re.search(r"define internal i64 @f\.1\(.*\) alwaysinline", code)


def test_narrow_arguments_fill_their_registers() -> None:
    before = "def f(a: s8, b: u16, c: u64):\n    return a\n\n\n"
    assert "@f.1(i8 signext %p0, i16 zeroext %p1, i64 %p2)" in text(
        "return f(1, 2, 3)", before + XDP
    )


def test_a_loop_whose_counter_could_wrap_around_ends() -> None:
    careful = "icmp ugt i32 %"
    assert careful in text("for i in range(0, ctx.ingress_ifindex & 63, 2):\n    STATE.big += i")
    assert careful not in text("for i in range(0, 100, 2):\n    STATE.big += i")
    assert careful not in text("for i in range(0, ctx.ingress_ifindex & 63):\n    STATE.big += i")


def test_the_users_source_is_carried_whatever_is_in_it() -> None:
    line = '    n = ctx.ingress_ifindex + 1  # "quoted" back\\slash \u00e9 \U0001f41d'
    program = corpus.program(f"{XDP}{line}\n    STATE.big = n\n    return n\n")
    (linked,) = compiler.compile_all([program], TARGET)
    lines = Lines(linked.line_info, linked.btf)
    spans = [lines.at(i) for i in range(len(linked.insns) // 8)]
    assert {span.file for span in spans if span} == {corpus.FILE}
    assert line.strip() in {span.text.strip() for span in spans if span}


def test_every_instruction_belongs_to_a_line_of_the_program() -> None:
    source = f"def f(n: u32):\n    return n * 3\n\n\n{XDP}    STATE.big = f(ctx.ingress_ifindex)\n    return 2\n"
    (linked,) = compiler.compile_all([corpus.program(source)], TARGET)
    lines = Lines(linked.line_info, linked.btf)
    found = {span.line for i in range(len(linked.insns) // 8) if (span := lines.at(i))}
    assert found <= {1, 2, 5, 6, 7, 8}
    assert {7, 8} <= found


def test_a_program_does_not_depend_on_what_is_compiled_beside_it() -> None:
    one, two = (corpus.program(f"{XDP}    return {n}\n", f"file{n}.py") for n in (1, 2))
    together = compiler.compile_all([one, two], TARGET)
    assert together == [compiler.compile_all([p], TARGET)[0] for p in (one, two)]


def test_an_object_has_btf_and_no_dwarf_that_describes_the_source() -> None:
    (data,) = emit([module("return 2")])
    names = {section.name for section in read(data, "p").sections}
    assert {".BTF", ".BTF.ext"} <= names
    assert names.isdisjoint({".debug_info", ".debug_line", ".debug_str"})
