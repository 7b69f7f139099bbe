"""Logs of real kernels, and what becomes of them.

``verifier_logs/VERSION/NAME.log`` was written by that kernel for the program NAME: small programs, made to be refused,
whose source lines stand in the logs as Python. Those under 7.3 were written by hand, after kernel/bpf/diagnostics.c.
What each becomes stands in ``verifier_logs/VERSION.txt``. Run as a script, this file writes those texts anew, to be
read before they are kept.
"""

import re
import string
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skep.base.errors import Span, VerifierError
from skep.kernel.rejections import TABLE, Rejection
from skep.kernel.trace import read
from skep.kernel.verifier import explain
from skep.lang.kinds import KINDS
from skep.lang.lines import Lines
from skep.lang.spec import ProgramSpec

LOGS = Path(__file__).with_name("verifier_logs")
VERSIONS = ("6.1", "6.12", "6.18", "7.3")
NO_LINES = Lines(b"", b"")
KIND = {"packet_write": "cgroup_skb_egress", "leak_socket": "tcx_ingress"}
XDP = ("packet_", "ctx_", "forbidden_helper", "atomic_packet", "helper_packet", "deep_stack")
ITERATOR = ("bad_return", "unknown_return", "helper_null", "iterator_null")
SOURCE = re.compile(r"; (.*) @ (.*):(\d+)$")
INSN = re.compile(r"(\d+): \(")


def lines_of(name: str) -> tuple[bytes, bytes]:
    """Line records and BTF of the program NAME, from the log of a kernel that tells lines (6.18)."""
    records: dict[int, bytes] = {}
    strings, span = b"\0prog.py\0", (0, 0)
    for line in (LOGS / "6.18" / f"{name}.log").read_text().splitlines():
        if match := SOURCE.match(line):
            span = len(strings), int(match[3])
            strings += match[1].encode() + b"\0"
        elif (match := INSN.match(line)) and span[1]:
            records.setdefault(
                int(match[1]), struct.pack("<IIII", int(match[1]), 1, span[0], span[1] << 10 | 5)
            )
    header = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, 0, 0, len(strings))
    return b"".join(record for _, record in sorted(records.items())), header + strings


def spec(name: str, line_info: bytes = b"", btf: bytes = b"") -> ProgramSpec:
    kind = KIND.get(name)
    kind = kind or ("xdp" if name.startswith(XDP) else "iterator" if name in ITERATOR else "raw_tp")
    return ProgramSpec(name, KINDS[kind], "", "GPL", b"", (), (), (), btf, b"", line_info)


def explained(version: str, name: str) -> VerifierError:
    """The error for a log; kernels before 6.8 tell no lines, which are then those of the program."""
    log = (LOGS / version / f"{name}.log").read_text()
    lines = lines_of(name) if version == "6.1" else (b"", b"")
    return explain(log, spec(name, *lines))


def names(version: str) -> list[str]:
    return sorted(path.stem for path in (LOGS / version).glob("*.log"))


def rendered(version: str) -> str:
    return "\n".join(f"{explained(version, name)}\n" for name in names(version))


@pytest.mark.parametrize("version", VERSIONS)
def test_what_kernels_said_becomes_causes_lines_and_fixes(version: str) -> None:
    assert rendered(version) == (LOGS / f"{version}.txt").read_text()


def test_the_logs_are_of_many_distinct_rejections() -> None:
    assert len(names("6.18")) >= 75
    assert len({explained("6.18", name).cause for name in names("6.18")}) >= 50


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
    assert error.origin.text == "e = events.reserve()"
    assert error.path[-1].text == "return 0"
    assert "if number == 2: e.pid = 2; return 0" in [span.text for span in error.path]


def test_the_program_s_own_lines_are_preferred_to_those_of_the_log() -> None:
    log = (LOGS / "6.18" / "null_lookup.log").read_text().replace("prog.py", "elsewhere.py")
    error = explain(log, spec("null_lookup", *lines_of("null_lookup")))
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
    assert [bool(row.after) for row in rows] == [True, True, False]


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
