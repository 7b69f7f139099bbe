"""The verifier's log as values: the instructions of the path that failed, and what was said of it.

A pure function of text, in both forms: the classic one (Linux 5.5 on), and the report that Linux
7.3 puts below it (``Verification failed``, ``Reason``, ``At``, ``Causal path``, ``Suggestion``). A
log may be cut at either end. Source lines come from the program's own line records where it has
them, else from the log. It judges nothing; ``verifier`` does. Patterns are text: each start imports
this, few starts need it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from skep.base.errors import Span
from skep.base.frozen import frozen
from skep.lang.lines import Lines

_END = 1000  # characters in which the last line of a whole log stands
_REPORT = "\nVerification failed: "
_INSN = r"(\d+): \([0-9a-f]{2}\) (.*?)(?: +;.*| \d+: R\d+(?:_\w+)?=.*)?$"
_SOURCE = r"; (.*?)(?: @ ([^@]+):(\d+))?$"
_BRANCH = r"from (\d+) to \d+\b.*:"
_NOISE = (
    r"processed \d|verification time|stack depth|mark_precise|last_idx|regs=|parent |"
    r"(?:\d+: )?(?:frame\d+: )?R\d+(?:_[rwP]+)?=|(?:\d+: )?fp-\d|\d+: safe|func#\d|Live regs|"
    r"\(\d+\) (?:frame|live)|SCC |caller:|callee:|returning from callee:|to caller at|propagating|"
    r"frame \d+: propagating|(?:cur|old) state:|func '\w+' arg\d+ (?:has btf_id|type)|"
    r"arg#\d+ reference type\(|\d+: [.\d]{10} |reg type unsupported for arg#\d+ function .*!$"
)
_TAIL = r"processed \d+ insns .*$"
_PLACE = r"  (?:\w+ @ )?(\S.*):(\d+):(\d+)$"
_MARKED_SOURCE = r"  >>> +(\d+) \| (.*)$"
_MARKED_INSN = r"  >>> +(\d+) \| \([0-9a-f]{2}\) (.*)$"
_PLAIN_INSN = r"  insn (\d+)$"
_LABEL = r"\^-- (\w+): "


@frozen
class Step:
    """An instruction of the path, and the source line that it came from."""

    insn: int
    text: str
    span: Span | None


@frozen
class Event:
    """A step that a report names, and what for: error, branch, update, acquired, ..."""

    label: str
    step: Step


@frozen
class Report:
    """The report of Linux 7.3 on; texts are unwrapped, and empty where it has none."""

    title: str = ""
    reason: str = ""
    suggestion: str = ""
    events: tuple[Event, ...] = ()


@frozen
class Trace:
    """``messages`` are the lines behind the last instruction; ``whole``: the log has its end."""

    steps: tuple[Step, ...]
    messages: tuple[str, ...]
    report: Report
    whole: bool


@dataclass(slots=True)
class _Path:
    """The steps so far; going back to a branch forgets those behind it."""

    lines: Lines
    steps: list[Step] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    source: Span | None = None

    def step(self, insn: int, text: str) -> None:
        self.steps.append(Step(insn, text, self.lines.at(insn) or self.source))
        self.messages.clear()

    def back(self, insn: int) -> None:
        for index in range(len(self.steps) - 1, -1, -1):
            if self.steps[index].insn == insn:
                del self.steps[index + 1 :]
                break
        self.messages.clear()

    def read(self, line: str) -> None:
        if match := re.match(_INSN, line):
            self.step(int(match[1]), match[2])
        elif match := re.match(_SOURCE, line):
            self.source = Span(match[2] or "", int(match[3] or 0), text=match[1])
        elif match := re.match(_BRANCH, line):
            self.back(int(match[1]))
        elif line.strip() and not re.match(_NOISE, line.lstrip()):
            self.messages.append(line.strip())


def read(log: str, lines: Lines) -> Trace:
    """The trace of a log; ``lines`` are those of the program."""
    classic, found, report = log.partition(_REPORT)
    path = _Path(lines)
    whole = bool(found) or "processed " in classic[-_END:]
    if not whole:
        classic = classic[: classic.rfind("\n") + 1]
    for line in classic.splitlines():
        path.read(re.sub(_TAIL, "", line))
    return Trace(
        tuple(path.steps),
        tuple(path.messages),
        _report(report, lines) if found else Report(),
        whole,
    )


def _report(text: str, lines: Lines) -> Report:
    title, *rest = text.splitlines()
    sections: dict[str, list[str]] = {}
    section: list[str] = []
    for line in rest:
        if line.endswith(":") and line[:1].isalpha():
            section = sections.setdefault(line[:-1], [])
        elif line.startswith(" "):
            section.append(line)
    places = (sections.get(name, []) for name in ("Causal path", "Active lock", "At"))
    events = tuple(event for part in places for event in _events(part, lines))
    return Report(
        title.strip(),
        " ".join(map(str.strip, sections.get("Reason", []))),
        " ".join(map(str.strip, sections.get("Suggestion", []))),
        events,
    )


def _events(part: list[str], lines: Lines) -> Iterator[Event]:
    """The events of a section: a block for each, which begins with its place."""
    block: list[str] = []
    for line in part:
        if block and (re.match(_PLACE, line) or re.match(_PLAIN_INSN, line)):
            yield _event(block, lines)
            block = []
        block.append(line)
    if block:
        yield _event(block, lines)


def _event(block: list[str], lines: Lines) -> Event:
    """Place or instruction; source, the line marked; what it is; instructions, the one marked."""
    insn, text, span, label = -1, "", None, ""
    place = re.match(_PLACE, block[0])
    for line in block:
        if match := re.match(_PLAIN_INSN, line):
            insn = int(match[1])
        elif match := re.match(_MARKED_INSN, line):
            insn, text = int(match[1]), match[2]
        elif place and (match := re.match(_MARKED_SOURCE, line)):
            span = Span(place[1], int(match[1]), max(1, int(place[3])), text=match[2])
        elif match := re.search(_LABEL, line):
            label = label or match[1]
    return Event(label, Step(insn, text, lines.at(insn) or span))
