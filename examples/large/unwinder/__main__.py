"""Where a process spends CPU time: its whole stacks, sampled 99 times a second on each CPU, folded.

``python -m examples.large.unwinder PID [--for SECONDS]`` as root; a line is a stack from the outermost function on, and
how often it was met, as flame graphs take it. How many stacks are whole is said at the end, on standard error.
"""

import argparse
import sys
import time
from collections import Counter
from contextlib import suppress

import skep
from examples.large.unwinder.program import on_sample
from examples.large.unwinder.state import End
from examples.large.unwinder.unwinder import Sampled, Unwinder

INTERVAL = 1.0


def profiled(unwinder: Unwinder, pid: int, seconds: float) -> list[Sampled]:
    """The stacks of a process over a time, or until Ctrl-C."""
    unwinder.watch(pid)
    found: list[Sampled] = []
    until = time.monotonic() + seconds
    with suppress(KeyboardInterrupt):
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, INTERVAL))
            found += unwinder.take()
            unwinder.refresh()
    return found


def folded(stacks: list[Sampled]) -> dict[str, int]:
    """Stacks as text from the outermost function on, the most frequent first."""
    found: Counter[str] = Counter()
    for one in stacks:
        found[";".join(str(frame) for frame in reversed(one.frames))] += one.count
    return dict(found.most_common())


def ended(stacks: list[Sampled]) -> dict[End, int]:
    """How many of these stacks end for each reason."""
    return {end: sum(one.count for one in stacks if one.end is end) for end in End}


def summary(ends: dict[End, int]) -> str:
    """How many stacks are whole, and why the others are not."""
    walks = sum(count for end, count in ends.items() if end is not End.LOST)
    parts = [f"{end.name.lower().replace('_', ' ')} {n}" for end, n in ends.items() if n]
    share = ends[End.COMPLETE] / walks if walks else 0.0
    return f"{share:.1%} of {walks} stacks are whole ({', '.join(parts) or 'nothing ran'})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pid", type=int)
    parser.add_argument("--for", dest="seconds", type=float, default=1e9)
    options = parser.parse_args()
    with skep.load(on_sample) as live:
        unwinder = Unwinder(live)
        stacks = profiled(unwinder, options.pid, options.seconds)
        for stack, count in folded(stacks).items():
            print(stack, count)
        for problem in unwinder.problems():
            print(problem, file=sys.stderr)
        lost = unwinder.ends()[End.LOST]
        print(summary(ended(stacks) | {End.LOST: lost}), file=sys.stderr)


if __name__ == "__main__":
    main()
