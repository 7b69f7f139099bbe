"""Iterators that print into their file."""

import skep
from skep import Global, Struct, s32, u32


class Chosen(Struct):
    """The process whose line is wanted."""

    pid: s32


chosen = Global(Chosen)


@skep.iterator("task")
def prints(ctx):
    """A line for one task, and one behind the last."""
    task = ctx.task
    if task is None:
        print("no more", file=ctx.meta.seq)
    elif task.tgid == chosen.pid and task.pid == task.tgid:
        print(f"{task.comm} {task.tgid:6} {u32(task.real_parent.tgid):x}|", 100, file=ctx.meta.seq)
    return 0
