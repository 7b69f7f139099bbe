"""The corpus is assembled right: what the disassembler prints of it is what is written there."""

import re

from skep.lang.disasm import instructions
from tests.kernel.refused import corpus
from tests.kernel.refused.assembler import LINE, assemble

# Written by name and printed by number or distance, or no instruction.
NAMED = r"(?:times|goto|call|if|function|r\d+ = (?:map|value|function)) .*|\w+:"


def test_an_instruction_is_disassembled_as_it_was_written() -> None:
    for case in corpus.cases():
        if "raw " in case.code or corpus.FIELD.search(case.code):
            continue
        written = re.findall(LINE, case.code, re.MULTILINE)
        plain = [text for _, _, text in written if not re.fullmatch(NAMED, text)]
        printed = [text for _, text in instructions(assemble(case.code, case.name).insns)]
        assert [text for text in printed if text in plain] == plain, case.name


def test_jumps_and_calls_reach_their_labels() -> None:
    code = "again:\nif r1 == 7 goto end\ngoto again\ncall function f\nend:\nexit\nfunction f:\nexit"
    made = assemble(code, "p")
    assert [text for _, text in instructions(made.insns)] == [
        "if r1 == 0x7 goto pc+2",
        "goto pc-2",
        "call pc+1",
        "exit",
        "exit",
    ]


def test_a_number_in_front_is_the_source_line() -> None:
    made = assemble("2 r0 = 0\n  r1 = map m\n3 exit", "p")
    assert (made.lines, made.maps) == (((0, 2), (3, 3)), {1: ("m", False)})
