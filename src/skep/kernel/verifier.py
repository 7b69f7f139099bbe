"""The verifier's log as an error in the user's lines: the cause, the path that leads there, a fix.

A pure function of the log and the spec. What the words mean stands in ``rejections``, how a log is
laid out in ``trace``. A log that fits no row keeps the kernel's own words.
"""

import re
from collections.abc import Iterable

from skep.base.errors import Span, VerifierError
from skep.kernel.rejection import Rejection
from skep.kernel.rejections import TABLE
from skep.kernel.trace import Step, Trace, read
from skep.lang.frames import heaviest
from skep.lang.lines import Lines
from skep.lang.spec import MapType, ProgramSpec

_SHOWN = 6
_CALL = r"call (?:bpf_)?([A-Za-z]\w*)#\d+$"
_RANGE = r"\[(-?\d+), (-?\d+)\]|\((0x[0-9a-f]+); (0x[0-9a-f]+)\)"

# The verifier's types, by how they begin once what is told of trust is taken away.
_TRUST = r"^(?:(?:trusted|untrusted|rcu|rdonly|percpu|user)_)*"
_TYPES = (
    ("map_value", "a map value"),
    ("map_ptr", "a map"),
    ("map_key", "the key of a map"),
    ("ringbuf_mem", "a record"),
    ("alloc_mem", "a record"),
    ("mem", "memory"),
    ("scalar", "a number"),
    ("inv", "a number"),
    ("ctx", "the context"),
    ("fp", "local memory"),
    ("pkt", "the packet"),
    ("sock", "a socket"),
    ("func", "a function"),
    ("ptr_", "a kernel object"),
)
_METHODS = {
    "map_lookup_elem": "lookup",
    "map_update_elem": "update",
    "map_delete_elem": "delete",
    "ringbuf_reserve": "reserve",
    "ringbuf_submit": "submit",
    "ringbuf_discard": "discard",
    "ringbuf_output": "output",
}
# What a function acquires, by how its name begins, and how it is given back.
_OBJECTS = ("obj_new", "list_pop", "rbtree_remove", "refcount_acquire")
_ACQUIRED = (
    ("ringbuf_reserve", "a record", "end every path after reserve() with .submit() or .discard()"),
    ("sk_lookup", "a socket", "call skep.sk_release(sk) on every path"),
    ("skc_lookup", "a socket", "call skep.sk_release(sk) on every path"),
    (
        "iter_",
        "an iterator",
        "leave the loop by its end or by break, not by return; end one of your own by its destroy function",
    ),
    *(
        (one, "an allocated object", "drop it, or link or keep it, on every path")
        for one in _OBJECTS
    ),
    ("", "an object that was acquired", "release it on every path before return"),
)


def explain(log: str, spec: ProgramSpec) -> VerifierError:
    """The error for the log of a program that BPF_PROG_LOAD refused; the log is kept whole."""
    lines = Lines(spec.line_info, spec.btf)
    trace = read(log, lines)
    found = _row(trace)
    if found is None:
        cause, fix = _unknown(trace)
        return VerifierError(spec.name, cause, _path(trace.steps, trace), fix=fix, log=log)
    row, match = found
    acquired = _acquired(trace, match)
    words = _words(trace, spec, match) | _given_back(acquired)
    steps = trace.steps or _named(trace.messages, lines)
    if acquired in steps:
        steps = steps[steps.index(acquired) + 1 :]
    path = _path(steps, trace) or (heaviest(spec) if row.calls else ())
    return VerifierError(
        spec.name,
        row.cause.format_map(words),
        path,
        fix=row.fix.format_map(words),
        log=log,
        origin=acquired.span if acquired else None,
    )


def _row(trace: Trace) -> tuple[Rejection, re.Match[str]] | None:
    text = "\n".join((*trace.messages, trace.report.title, trace.report.reason))
    for row in TABLE:
        match = re.search(row.pattern, text, re.MULTILINE)
        if match and _fits(row, trace.steps):
            return row, match
    return None


def _fits(row: Rejection, steps: tuple[Step, ...]) -> bool:
    last = steps[-1].text if steps else ""
    if row.last and not re.match(row.last, last):
        return False
    if row.call and not re.search(row.call, _called(last)):
        return False
    return not row.after or any(re.search(row.after, _called(step.text)) for step in steps[:-1])


def _called(text: str) -> str:
    """The function that an instruction calls, without ``bpf_``; "" where it calls none."""
    match = re.match(_CALL, text)
    return match[1] if match else ""


def _words(trace: Trace, spec: ProgramSpec, match: re.Match[str]) -> dict[str, str]:
    """What the texts of a row may name."""
    words = {name: value or "" for name, value in match.groupdict().items()}
    called = _called(trace.steps[-1].text) if trace.steps else ""
    words["call"] = f"{_METHODS.get(called, called)}()" if called else "this call"
    words["kind"] = spec.kind.name
    for name in ("type", "expected"):
        words[name] = _plain(words.get(name, ""))
    words["end"] = str(int(words.get("off") or 0) + int(words.get("width") or 0))
    words["allowed"] = _allowed(words.get("range", ""))
    number = int(words.get("map") or 0)
    words["map_type"] = next((t.name for t in MapType if t == number), str(number))
    return words


def _plain(kind: str) -> str:
    rest = re.sub(_TRUST, "", kind)
    return next((text for start, text in _TYPES if rest.startswith(start)), f"a {kind}")


def _allowed(text: str) -> str:
    """The numbers of ``[0, 3]``, or, before Linux 6.8, of ``(value; mask)`` of known bits."""
    match = re.search(_RANGE, text)
    if match is None:
        return "other numbers"
    if match[1]:
        low, high = int(match[1]), int(match[2])
    else:
        low, high = int(match[3], 16), int(match[3], 16) | int(match[4], 16)
    return f"{low}" if low == high else f"{low} {'or' if high == low + 1 else 'to'} {high}"


def _acquired(trace: Trace, match: re.Match[str]) -> Step | None:
    """The step that acquired what is still held."""
    groups = match.groupdict()
    number = int(groups.get("origin") or groups.get("reported") or -1)
    reported = (event.step for event in trace.report.events if event.label == "acquired")
    candidates = (*reversed(trace.steps), *reported)
    return next((step for step in candidates if step.insn == number), None)


def _named(messages: Iterable[str], lines: Lines) -> tuple[Step, ...]:
    """The instruction that a message names, for what is refused before any is followed."""
    numbers = re.findall(r"\binsn (\d+)", "\n".join(messages))[:1]
    return tuple(Step(int(number), "", lines.at(int(number))) for number in numbers)


def _given_back(acquired: Step | None) -> dict[str, str]:
    called = _called(acquired.text) if acquired else ""
    what, how = next(row[1:] for row in _ACQUIRED if called.startswith(row[0]))
    return {"acquired": what, "release": how}


def _unknown(trace: Trace) -> tuple[str, str]:
    """Cause and fix in the kernel's own words."""
    report = trace.report
    if report.reason:
        return report.reason, report.suggestion
    if trace.messages:
        return f"the kernel says: {trace.messages[-1]}", ""
    if trace.steps and not trace.whole:
        fix = "give loops a smaller range(...), or decide less inside of them"
        return "the verifier said more than fits a log: the program has too many paths", fix
    return "the kernel gave no reason", ""


def _path(steps: Iterable[Step], trace: Trace) -> tuple[Span, ...]:
    """The last lines that lead to the failure, each once, where it came last."""
    spans = [step.span for step in steps]
    if not any(spans):
        spans = [event.step.span for event in trace.report.events]
    last: dict[tuple[str, int, str], Span] = {}
    for span in spans:
        if span is not None:
            key = (span.file, span.line, span.text)
            last.pop(key, None)
            last[key] = span
    return tuple(last.values())[-_SHOWN:]
