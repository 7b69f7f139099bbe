"""Programs that have the kernel write text: of values, and of its objects."""

import skep
from skep import Array, Hash, Record, Ring, char, s32, u8, u32
from tests.kernel.lang.both import Given

names = Array(char[8], 1)


@skep.xdp
def writes_text(ctx):
    """Text of numbers and text, whole, cut off, and of no values."""
    v, name = ctx.view(Given), names.lookup(0)
    if v is None or name is None:
        return 0
    name[:3] = "abc"
    text = char[32]()
    length = skep.snprintf(text, f"{v.b}/{v.e:02x} {name} 100%")
    short = char[6]()
    longer = skep.snprintf(short, f"{v.b} {s32(v.c) - 500}")
    plain = char[8]()
    skep.snprintf(plain, "plain")
    v.out[:32] = text.view(u8[32])
    v.out[32:38] = short.view(u8[6])
    v.out[38:46] = plain.view(u8[8])
    return u32(length) * 100 + u32(longer)


class Shown(Record):
    """An object of the kernel as text."""

    text: char[512]


shown = Ring(Shown)
own = Hash(u32, u8, 8)


@skep.tp_btf("sys_enter")
def shows_credentials(regs, number):
    """Whose process it is, as the kernel's types say."""
    task = skep.get_current_task_btf()
    if task.tgid not in own:
        return
    e = shown.reserve()
    if e is None:
        return
    skep.snprintf_btf(e.text, task.thread_pid)
    e.submit()


@skep.iterator("task")
def shows_tasks(ctx):
    """The number of each process that is asked for, by its types."""
    task = ctx.task
    if task is not None and task.pid in own:
        skep.seq_printf_btf(ctx.meta.seq, task.thread_pid)
    return 0
