"""Logs of real kernels, and what becomes of them.

``verifier_logs/SERIES/NAME.log`` is what that kernel said of the program NAME of ``tests/kernel/refused``, recorded by
``python -m tests.kernel.refused.record``. Those under 7.3 were written by hand, after kernel/bpf/diagnostics.c. What
each becomes stands in ``verifier_logs/SERIES.txt``. Run as a script, this file writes those texts anew, to be read
before they are kept.
"""

import ast
import re
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skep.base.errors import Span, VerifierError
from skep.kernel import verifier
from skep.kernel.rejection import Rejection
from skep.kernel.rejections import TABLE
from skep.kernel.trace import read
from skep.kernel.verifier import explain
from skep.lang.kinds import KINDS
from skep.lang.lines import Lines
from skep.lang.spec import ProgramSpec
from tests.kernel.refused import corpus
from tests.kernel.refused.corpus import ACCEPTED, LACKS
from tools.kernels import SERIES

LOGS = Path(__file__).with_name("verifier_logs")
RECORDED, WRITTEN = ("6.1", "6.12", "6.18"), "7.3"
VERSIONS = (*RECORDED, WRITTEN)
NO_LINES = Lines(b"", b"")
CASES = {case.name: case for case in corpus.cases()}


def spec(name: str) -> ProgramSpec:
    """A program that has no lines of its own."""
    return ProgramSpec(name, KINDS["raw_tp"], "", "GPL", b"", (), (), (), b"", b"", b"")


def explained(series: str, name: str) -> VerifierError:
    """The error for a log. Kernels before 6.8 tell no lines, which are then those of the program."""
    log = (LOGS / series / f"{name}.log").read_text()
    return explain(log, spec(name) if series == WRITTEN else CASES[name].spec())


def names(version: str) -> list[str]:
    return sorted(path.stem for path in (LOGS / version).glob("*.log"))


def rendered(version: str) -> str:
    return "\n".join(f"{explained(version, name)}\n" for name in names(version))


@pytest.mark.parametrize("version", VERSIONS)
def test_what_kernels_said_becomes_causes_lines_and_fixes(version: str) -> None:
    assert rendered(version) == (LOGS / f"{version}.txt").read_text()


@pytest.mark.parametrize("series", RECORDED)
def test_the_logs_are_of_many_distinct_rejections(series: str) -> None:
    causes = {re.sub(r"\d+", "N", explained(series, name).cause) for name in names(series)}
    assert len(names(series)) >= 95
    assert len(causes) >= 70


@pytest.mark.parametrize("series", RECORDED)
def test_each_log_has_the_cause_that_its_case_names(series: str) -> None:
    told = {name: explained(series, name).cause for name in names(series)}
    assert told == {name: CASES[name].expected(series) for name in told}


@pytest.mark.parametrize("series", RECORDED)
def test_every_program_that_a_kernel_refuses_has_its_log(series: str) -> None:
    refused = [
        case.name
        for case in CASES.values()
        if not case.expected(series).startswith((ACCEPTED, LACKS))
        and not (case.slow and series in SERIES)
    ]
    assert names(series) == refused


UNSEEN = {
    "access outside bounds": "unprivileged programs only",
    r"invalid \w+ ?\w* \w+ stack": "programs that may not read kernel memory only",
    "cannot tail call": "programs for kernels without a JIT",
    "access user memory": "types that Debian's kernels do not mark",
    "access percpu memory": "types that Debian's kernels do not mark",
    "must be referenced or trusted|neither": "allocated objects; a test in Python hears it",
    "invalid sock_common access": "fields of sockets, which the assembler does not name; a test in Python hears it",
    "failed to find the address": "kernels without CONFIG_KALLSYMS_ALL; a test in Python hears it there",
    r"R\d is not a scalar": "global functions, whose types the assembler does not write; a test in Python hears it",
}
"""Rows by their beginning, which no kernel was brought to say here, and who hears it."""


def test_every_other_row_is_what_some_kernel_said() -> None:
    traces = [read(path.read_text(), NO_LINES) for path in LOGS.glob("*/*.log")]
    found = [verifier._row(trace) for trace in traces]
    said = {row.pattern for row, _ in filter(None, found)}
    unseen = {row.pattern for row in TABLE} - said
    assert {p for p in unseen if not p.startswith(tuple(UNSEEN))} == set()
    assert len(unseen) == len(UNSEEN)


def test_each_source_is_python_and_has_the_lines_of_its_instructions() -> None:
    for case in CASES.values():
        ast.parse(case.source)
        assert f"def {case.name}(" in case.source.splitlines()[0]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_log_is_understood(version: str) -> None:
    for name in names(version):
        error = explained(version, name)
        assert error.fix, name
        assert not error.cause.startswith(("the kernel says", "the kernel gave no")), name


def test_the_log_is_kept_whole() -> None:
    log = (LOGS / "6.18" / "null_lookup.log").read_text()
    assert explain(log, spec("null_lookup")).log == log


def test_a_leak_names_the_line_that_acquired_and_the_path_from_there() -> None:
    error = explained("6.18", "shared_tail")
    assert error.origin is not None
    assert error.origin.text.strip() == "e = events.reserve()"
    assert error.path[-1].text.strip() == "return 0"
    assert "if number == 2: e.pid = 2; return 0" in [span.text.strip() for span in error.path]


def test_the_program_s_own_lines_are_preferred_to_those_of_the_log() -> None:
    log = (LOGS / "6.18" / "null_lookup.log").read_text().replace("prog.py", "elsewhere.py")
    error = explain(log, CASES["null_lookup"].spec())
    assert {span.file for span in error.path} == {"prog.py"}


def test_a_log_of_all_paths_shows_the_one_that_failed() -> None:
    log = """0: R1=ctx() R10=fp0
; x = number @ prog.py:2
0: (79) r1 = *(u64 *)(r1 +0)          ; R1=scalar()
; if x == 1: @ prog.py:3
1: (15) if r1 == 0x1 goto pc+3        ; R1=scalar()
; y = 5 @ prog.py:4
2: (b7) r0 = 5                        ; R0=5
3: (05) goto pc+2
; return y @ prog.py:6
6: (95) exit

from 1 to 5: R1=1 R10=fp0
5: R1=1 R10=fp0
; return z @ prog.py:5
5: (bf) r0 = r7
R7 !read_ok
processed 6 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
"""
    assert [span.line for span in explain(log, spec("f")).path] == [2, 3, 5]


def test_old_kernels_say_the_same_of_a_size_that_may_be_0_as_of_a_map_without_keys() -> None:
    said = "{call}\ninvalid zero-sized read\nprocessed 6 insns (limit 1000000)\n"
    size = said.format(call="6: (85) call bpf_skb_load_bytes#26")
    keys = said.format(call="6: (85) call bpf_map_lookup_elem#1")
    assert explain(size, spec("f")).cause == "the size that skb_load_bytes() gets may be 0"
    assert explain(keys, spec("f")).cause == "lookup() takes a map with keys"


def test_only_the_end_of_a_long_path_is_shown_and_each_line_once() -> None:
    steps = [f"; line {n} @ p.py:{n}\n{n}: (b7) r0 = {n}\n" for n in [*range(1, 30), 10, 28, 29]]
    log = "".join(steps) + "infinite loop detected at insn 29\nprocessed 33 insns\n"
    assert [span.line for span in explain(log, spec("f")).path] == [25, 26, 27, 10, 28, 29]


def test_words_that_are_not_known_are_the_kernel_s_own() -> None:
    log = "0: (b7) r0 = 0\nthe flux capacitor is missing\nprocessed 1 insns (limit 1000000)\n"
    error = explain(log, spec("f"))
    assert (error.cause, error.fix) == ("the kernel says: the flux capacitor is missing", "")


def test_a_log_without_an_end_is_one_of_a_program_that_is_too_large() -> None:
    log = (LOGS / "6.18" / "too_large.log").read_text().split("BPF program is too large")[0]
    error = explain(log + "the line that did not", spec("f"))
    assert "more than fits a log" in error.cause


def test_no_log_gives_no_reason() -> None:
    assert explain("", spec("f")).cause == "the kernel gave no reason"


def test_a_report_names_what_happened_where() -> None:
    log = (LOGS / "7.3" / "leak_record.log").read_text()
    report = read(log, NO_LINES).report
    assert report.title == "Resource Lifetime Safety: Unreleased resource"
    assert report.reason.endswith("still needs to be released before this exit path.")
    assert report.suggestion.startswith("Release or transfer ownership")
    assert [(e.label, e.step.insn) for e in report.events] == [
        ("acquired", 5),
        ("branch", 6),
        ("branch", 10),
        ("error", 15),
    ]
    assert report.events[0].step.text == "call bpf_ringbuf_reserve#131"
    assert report.events[0].step.span == Span("prog.py", 3, 5, text="    e = events.reserve()")


GIVEN = {"call", "kind", "type", "expected", "end", "map_type", "allowed", "acquired", "release"}


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.pattern[:30])
def test_a_row_names_only_what_it_has(row: Rejection) -> None:
    groups = set(re.compile(row.pattern).groupindex)
    for text in (row.cause, row.fix):
        used = {name for _, name, _, _ in string.Formatter().parse(text) if name}
        assert used <= groups | GIVEN


def test_a_particular_row_is_not_hidden_by_a_general_one() -> None:
    rows = [row for row in TABLE if "'(?:scalar|inv)'" in row.pattern]
    assert [bool(row.after) for row in rows] == [True, True, True, False]


CORPUS = [path.read_text() for path in sorted(LOGS.glob("*/*.log"))]


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_log_that_was_cut_and_mixed_is_still_explained(data: st.DataObject) -> None:
    lines = [line for _ in range(2) for line in data.draw(st.sampled_from(CORPUS)).splitlines()]
    first = data.draw(st.integers(0, len(lines)))
    last = data.draw(st.integers(first, len(lines)))
    extra = data.draw(st.text(max_size=30))
    at = data.draw(st.integers(first, last))
    text = "\n".join((*lines[first:at], extra, *lines[at:last]))
    error = explain(text, spec("f"))
    assert error.cause
    assert len(error.path) <= 6
    assert str(error)


if __name__ == "__main__":
    for one in VERSIONS:
        (LOGS / f"{one}.txt").write_text(rendered(one))
