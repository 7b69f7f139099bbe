"""What the verifier says of a program that it takes: how much it looked at, and the stack it found."""

import re

from skep.base.frozen import frozen
from skep.kernel.programs import Program

STATISTICS = 4
_PROCESSED = re.compile(r"processed (\d+) insns .*?total_states (\d+) peak_states (\d+)")
_STACK = re.compile(r"stack depth ([0-9+]+)")


@frozen
class Verdict:
    """``instructions`` of the program, ``processed`` by the verifier in ``states``, ``stack`` in bytes."""

    name: str
    kind: str
    hook: str
    instructions: int
    processed: int
    states: int
    peak_states: int
    stack: int


def verdict(program: Program) -> Verdict:
    """Verify a loaded program once more, for the statistics; what this loads is closed at once."""
    spec, log = program.spec, bytearray(1 << 20)
    program.verify_again(STATISTICS, log)
    text = log.split(b"\0", 1)[0].decode("utf-8", "replace")
    found, stack = _PROCESSED.search(text), _STACK.search(text)
    processed, states, peak = map(int, found.groups()) if found else (0, 0, 0)
    return Verdict(
        spec.name,
        spec.kind.name,
        spec.target,
        len(spec.insns) // 8,
        processed,
        states,
        peak,
        sum(map(int, stack[1].split("+"))) if stack else 0,
    )
