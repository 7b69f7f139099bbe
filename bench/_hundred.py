"""A hundred programs, each its own: ``python -m bench._hundred`` loads and attaches them, and says when that was done.

They are made from one text, since a program is a function with a source of its own. What it prints is the monotonic
time at which the last one was attached.
"""

import linecache
import sys
import time

HUNDRED = 100
TEXT = """\
import skep

counts = skep.PerCpuArray(skep.u64, {count})

"""
ONE = """\
@skep.tp_btf("sched_process_exec")
def program_{number}(task, old_pid):
    if task.tgid == {number}:
        counts.increment({number})

"""


def main() -> None:
    """Load all of them."""
    text = TEXT.format(count=HUNDRED)
    text += "".join(ONE.format(number=number) for number in range(HUNDRED))
    name = "<hundred programs>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    space: dict[str, object] = {"__name__": "hundred"}
    exec(compile(text, name, "exec"), space)  # noqa: S102 - the text above
    skep = sys.modules["skep"]
    programs = [space[f"program_{number}"] for number in range(HUNDRED)]
    with skep.load(*programs):
        print(time.monotonic(), flush=True)


if __name__ == "__main__":
    main()
