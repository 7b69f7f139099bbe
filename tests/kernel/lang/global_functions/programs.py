"""Global functions: numbers of every width, Structs that may be None, the context, and functions within functions."""

import skep
from skep import Array, Hash, Record, Ring, Struct, s8, s16, s32, s64, u8, u16, u32, u64
from skep.lang.programs import Program
from tests.kernel.lang.both import Given


class Point(Struct):
    """What a function is given, and changes."""

    x: u64
    y: u32
    marks: u8[8]


class Note(Record):
    """A record with a Struct in it."""

    sum: u64
    point: Point


points = Hash(u32, Point, 16)
notes = Ring(Note, size=4096)
counts = Array(u64, 4)
FULL = b"\xff" * 8


@skep.global_function
def byte(n: u8) -> u8:
    return n + 200


@skep.global_function
def signed_byte(n: s8) -> s8:
    return n - 100


@skep.global_function
def half(n: u16) -> u16:
    return n * 3


@skep.global_function
def signed_half(n: s16) -> s16:
    return -n


@skep.global_function
def word(n: s32) -> s64:
    return s64(n) * 5 - 7


@skep.global_function
def narrowed(n: u64) -> u32:
    return n >> 3


@skep.global_function
def is_large(n: u32) -> bool:
    return n > 100


@skep.global_function
def noted(n: u32):
    counts.increment(n & 3)


@skep.xdp
def numbers(ctx):
    v = ctx.view(Given)
    if v is None:
        return 0
    total = u64(byte(v.e)) + half(v.d) + narrowed(v.a)
    total += u64(signed_byte(s8(v.f)) + s64(signed_half(s16(v.d))) + word(s32(v.b) - 100))
    noted(v.c)
    if is_large(v.b):
        total += 1 << 20
    return s32(total)


def doubled(n: u64):
    return n * 2


@skep.global_function
def moved(point: Point | None, by: u8) -> u64:
    if point is None:
        return 7
    point.y += by
    point.marks[by & 7] += 1
    return doubled(point.x) + point.marks[by & 7]


@skep.global_function
def twice(point: Point, by: u8) -> u64:
    return moved(point, by) + moved(point, by + 1) + stretched(point) + moved(None, by)


@skep.global_function
def stretched(point: Point) -> u32:
    """What is never None needs no test."""
    point.y += 2
    return point.y


@skep.xdp
def structs(ctx):
    """On the stack, in a map, in a record, and none."""
    v = ctx.view(Given)
    if v is None:
        return 0
    local = Point(x=v.a, y=v.b)
    total = moved(local, v.e) + moved(points.lookup(1), 3) + twice(local, v.f)
    points[1] = local
    e = notes.reserve()
    if e is not None:
        e.point.x = 5
        e.sum = moved(e.point, 2)  # what is not set before is zero
        e.point.y, e.point.marks = 3, FULL
        e.submit()
    return s32(total + local.y + local.marks[v.e & 7])


@skep.xdp
def dirties(ctx):
    """Fills the ring's memory."""
    e = notes.reserve()
    if e is not None:
        e.sum = 0xFFFFFFFFFFFFFFFF
        e.point = Point(x=0xFFFFFFFFFFFFFFFF, y=0xFFFFFFFF, marks=FULL)
        e.submit()
    return 2


class Table(Struct):
    """As many elements as a byte has values."""

    cells: u8[256]


tables = Array(Table, 1)


@skep.global_function
def eighth(n: u32) -> u8:
    return n >> 3 & 7


@skep.global_function
def cell(table: Table, n: u8) -> u32:
    table.cells[n] += 1
    return table.cells[n]


@skep.xdp
def bounds(ctx):
    """Of a bound on one side of a call the verifier knows nothing on the other: it has to stand there too."""
    v = ctx.view(Given)
    if v is None:
        return 0
    point = Point(x=v.a)
    point.marks[eighth(v.b) & 7] = v.e
    table = tables.lookup(0)
    total: u32 = point.marks[3]
    for _ in range(3):
        if table is not None:
            total += cell(table, v.f & 1) + cell(table, v.e)
    return s32(total)


@skep.global_function
def place(ctx, offset: u32) -> u32:
    v = ctx.view(u16, offset)
    if v is None:
        return len(ctx)
    v[0] += 1
    return v


@skep.global_function
def summed(ctx, start: u32, count: u8) -> u32:
    total: u32 = 0
    for i in range(count & 15):
        total += place(ctx, start + i)
    return total


@skep.xdp
def packets(ctx):
    v = ctx.view(Given)
    if v is None:
        return 0
    first = place(ctx, 2)
    return s32(first + summed(ctx, v.c, v.e) + place(ctx, 200))


@skep.global_function
def long_way(n: u32) -> u32:
    steps: u32 = 0
    value: u64 = n
    while value > 1:
        value = value * 3 + 1 if value & 1 else value // 2
        steps += 1
    return steps


@skep.xdp
def loops(ctx):
    v = ctx.view(Given)
    if v is None:
        return 0
    total: u32 = 0
    for i in range(4):
        total += long_way(v.e + i + 1)
    return s32(total)


# --- what a kernel is told by tags (6.9) ------------------------------------------------------------------------------

TASK = skep.kernel_struct("task_struct")
tasks = Hash(u32, u64, 64)


@skep.global_function
def parent_of(task: TASK) -> u32:
    return task.real_parent.tgid


@skep.global_function
def one_more(task: TASK | None, number: u32) -> u32:
    return number if task is None else parent_of(task) + 1


@skep.tp_btf("sched_process_exec")
def objects(task):
    if parent_of(task) + 1 == one_more(task, 5):
        tasks[task.tgid] = (u64(one_more(None, 7)) << 32) + parent_of(task)


@skep.global_function
def opened(ctx, number: u32) -> u64:
    return u64(ctx.__syscall_nr) + number


@skep.tracepoint("syscalls/sys_enter_getppid")
def contexts(ctx):
    """The context of a kind that earlier kernels do not know in a function of its own."""
    tasks[u32(skep.get_current_pid_tgid() >> 32)] = opened(ctx, 1000)


@skep.global_function
def counted_of(ctx, number: s32) -> u32:
    task = ctx.task
    return 0 if task is None or task.tgid < number else 1


@skep.iterator("task")
def walks(ctx):
    tasks.increment(0, counted_of(ctx, 1))


@skep.syscall_program
def passes_a_field():
    """What no verifier trusts in a program that may wait: the compiler lets it through."""
    tasks[1] = parent_of(skep.get_current_task_btf().last_wakee)


# --- what it buys: one body, called eight times -----------------------------------------------------------------------


class Line(Struct):
    """Bytes of which nothing is known."""

    text: u8[16]


lines = Array(Line, 1)


@skep.inline
def weighed(line, seed):
    total = seed
    for i in range(16):
        if line.text[i] == 32:
            total += i
        elif line.text[i] > 64:
            total ^= line.text[i]
    return total


@skep.inline
def inline_weight(line: Line, seed: u32) -> u32:
    return weighed(line, seed)


@skep.noinline
def own_weight(line: Line, seed: u32) -> u32:
    return weighed(line, seed)


@skep.global_function
def global_weight(line: Line, seed: u32) -> u32:
    return weighed(line, seed)


@skep.inline
def eight_times(ctx, weight):
    line = lines.lookup(0)
    total: u32 = len(ctx)
    if line is not None:
        total = weight(line, total)
        total = weight(line, total)
        total = weight(line, total)
        total = weight(line, total)
        total = weight(line, total)
        total = weight(line, total)
        total = weight(line, total)
        total = weight(line, total)
    return s32(total)


@skep.xdp
def weighs_inline(ctx):
    return eight_times(ctx, inline_weight)


@skep.xdp
def weighs_by_calls(ctx):
    return eight_times(ctx, own_weight)


@skep.xdp
def weighs_globally(ctx):
    return eight_times(ctx, global_weight)


WEIGHS: tuple[Program, ...] = (weighs_inline, weighs_by_calls, weighs_globally)
ALL: tuple[Program, ...] = (numbers, structs, bounds, packets, loops, *WEIGHS)
