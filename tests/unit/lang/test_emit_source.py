"""The source that a program carries into the kernel: that of every function, whatever file it stands in."""

from skep.lang import compile as compiler
from skep.lang.lines import Lines
from tests.unit.lang import corpus
from tests.unit.lang.kernel import TARGET


def test_each_function_of_a_file_carries_its_source() -> None:
    below = "@skep.noinline\ndef first(n: u32):\n    return n * 3\n\n\n"
    beside = "@skep.noinline\ndef second(n: u32):\n    return n ^ 5\n"
    head = '@skep.tp_btf("sched_process_exec")\ndef p(task):\n'
    body = "    n = u32(task.tgid)\n    STATE.big = first(n)\n    STATE.number = s32(second(n))\n"
    (linked,) = compiler.compile_all([corpus.program(f"{below}{beside}{head}{body}")], TARGET)
    lines = Lines(linked.line_info, linked.btf)
    spans = [span for i in range(len(linked.insns) // 8) if (span := lines.at(i))]
    texts = {span.line: span.text.strip() for span in spans}
    assert texts[3] == "return n * 3"
    assert texts[8] == "return n ^ 5"
    assert all(texts.values())
