"""Programs that call functions of the kernel by name."""

import skep
from skep import Array, Hash, Struct, char, s32, s64, u8, u32, u64
from tests.kernel.kinds.programs.renamed import UNLINK, each
from tests.kernel.lang.both import Given

task_from_pid = skep.kfunc("bpf_task_from_pid")
task_release = skep.kfunc("bpf_task_release")
from_xdp = skep.kfunc("bpf_dynptr_from_xdp")
slice_of = skep.kfunc("bpf_dynptr_slice")
size_of = skep.kfunc("bpf_dynptr_size")
numbers = Hash(u32, u32, 64)
asked = Array(u32, 1)


@skep.tp_btf("sched_process_exec")
def parents(task, old_pid, bprm):
    """The parent of each task that runs a program, found by its number."""
    parent = task_from_pid(task.real_parent.tgid)
    if parent is None:
        return
    numbers[task.tgid] = parent.tgid
    task_release(parent)


@skep.tp_btf("sched_process_exec")
def leaks(task, old_pid, bprm):
    """A task that is not given back, under another name than it was acquired by."""
    parent = task_from_pid(task.tgid)
    if parent is not None:
        kept = parent
        numbers[1] = kept.tgid


@skep.xdp
def reads(ctx):
    """A packet through a dynptr."""
    v = ctx.view(Given)
    if v is None:
        return 0
    pointer = u64[2]()
    room = u8[4]()
    if from_xdp(ctx, 0, pointer) != 0:
        return 1
    found = slice_of(pointer, 16, room)
    if found is None:
        return 3
    return u32(size_of(pointer)) & 0xFFFF


text_length = skep.kfunc("bpf_strlen")


@skep.xdp
def measures(ctx):
    """The length of text in a program's memory, and of what lies at an address that may be wrong."""
    if text_length is None:
        return 99
    name = char[16]()
    name[:3] = "abc"
    wrong = text_length(u64(1))
    return text_length(name) if wrong < 0 else 0


text_in, texts_compared = skep.kfunc("bpf_strstr"), skep.kfunc("bpf_strcmp")
PART = "cd"


@skep.xdp
def looks_for_text(ctx):
    """Text that is written out, or captured, where any address is taken."""
    if text_in is None or texts_compared is None:
        return 99
    name = char[16]()
    name[:4] = "abcd"
    same = texts_compared("abcd", name) == 0 and texts_compared(name, "abce") < 0
    return text_in(name, PART) * 10 + (text_in(name, "x") == -2) if same else 0


class Digits(Struct):
    """A number in text, and as one."""

    text: char[8]
    value: s64


found = Array(Digits, 1)


@skep.xdp
def reads_a_number(ctx):
    """A helper that gives a number in memory: an array of one, and a field."""
    v, here = ctx.view(Given), found.lookup(0)
    if v is None or here is None:
        return 0
    here.text[0] = 48 + v.b % 10
    here.text[1] = 48 + v.c % 10
    number = s64[1]()
    length = skep.strtol(here.text, 10, number)
    skep.strtol(here.text[:1], 10, here.value)
    return s32(number[0] * 10 + here.value) if length == 2 else -1


at_the_end, memory = skep.kfunc("bpf_session_is_return"), skep.kfunc("bpf_session_cookie")
own = Hash(u32, u32, 8)
kept_until_the_end = Array(u64, 2)


@each(skep.kprobe_session, UNLINK)
def keeps_a_number(ctx):
    """What the begin of a function leaves for its end."""
    pid = u32(skep.get_current_pid_tgid() >> 32)
    if pid not in own:
        return 0
    number = memory()
    if at_the_end():
        kept_until_the_end[0] = number
        kept_until_the_end.increment(1)
    else:
        number[0] = u64(pid) + 1
    return 0
