"""The kernel half: on each sample of a watched process, a walk up its stack of user space by tables.

A frame takes a lookup of the mapping (unless it is that of the frame before), of the page, and a binary search in it
for the rule; the rule says where the caller's registers lie.
"""

import skep
from examples.large.unwinder.state import (
    ADDRESS_BITS,
    DEPTH,
    FILE_SHIFT,
    LOW,
    PAGE_BITS,
    ROWS,
    RULES,
    Base,
    End,
    Interrupted,
    Kind,
    Mapping,
    PageKey,
    Place,
    Saved,
    StackKey,
    Word,
    ends,
    limits,
    mappings,
    pages,
    rules,
    slabs,
    stacks,
    walks,
    watched,
)
from skep import s64, u16, u32, u64

STEPS = 14
"""Halvings of the rows of a slab until one is left."""
MIX = 0x9E3779B97F4A7C15
NEW = 1


@skep.inline
def read(address: u64):
    """The word at an address of the process, and whether there is one."""
    word = Word()
    failed = skep.probe_read_user(word, address)
    return word.value, failed == 0


@skep.inline
def search(rows, first: u32, count: u32, low: u32):
    """The number of the rule of the last of ``count`` rows from ``first`` on that is not above ``low``."""
    for _ in range(STEPS):
        if count <= 1:
            break
        half = count >> 1
        if rows[(first + half) & (ROWS - 1)].low <= low:
            first += half
        count -= half
    return rows[first & (ROWS - 1)].rule


@skep.inline
def rule_of(file: u32, address: u64):
    """The rule for an address of a file; None where there is no table."""
    page = pages.lookup(PageKey(file, u32(address >> PAGE_BITS)))
    if page is None:
        return None
    held = slabs.lookup(page.slab)
    if held is None:
        return None
    table = held.lookup(0)
    if table is None:
        return None
    number = search(table.rows, page.first, page.count, u32(u16(address)))
    return rules.each[number & (RULES - 1)]


@skep.inline
def interrupted(walk, start: u64):
    """Go on from the registers that the kernel put onto the stack."""
    saved = Interrupted()
    if skep.probe_read_user(saved, start) != 0:
        return End.UNREADABLE
    walk.pc = saved.rip
    walk.sp = saved.rsp
    walk.bp = saved.rbp
    return End.DEEP


@skep.inline
def caller(rule, walk):
    """Go on to the caller; the reason of the end is DEEP where there is one."""
    if rule.kind <= Kind.OUTERMOST:
        return End.COMPLETE if rule.kind == Kind.OUTERMOST else End.NO_RULE
    start = walk.bp if rule.base == Base.RBP else walk.sp
    start += u64(s64(rule.offset))
    if rule.kind == Kind.SIGNAL:
        return interrupted(walk, start)
    if rule.kind == Kind.DEREFERENCED:
        start, known = read(start)
        if not known:
            return End.UNREADABLE
        start += u64(s64(rule.more))
    elif rule.kind == Kind.PLT and (walk.pc & 15) >= u64(s64(rule.more)):
        start += 8
    if start <= walk.sp:
        return End.BACKWARDS
    if rule.saved != Saved.NOT:
        near = start
        if rule.saved != Saved.BY_CFA:
            near = walk.bp if rule.saved == Saved.BY_RBP else walk.sp
        walk.bp, known = read(near + u64(s64(rule.rbp)))
        if not known:
            return End.UNREADABLE
    walk.sp = start
    walk.pc, known = read(start - 8)
    return End.DEEP if known else End.UNREADABLE


@skep.inline
def locate(walk, at: u64):
    """Let ``walk.here`` be the file at an address, or none."""
    if walk.here.start <= at < walk.here.end:
        return
    found = mappings.lookup(Place(ADDRESS_BITS, walk.pid, at))
    if found is None:
        walk.here = Mapping()
    else:
        walk.here = found


@skep.inline
def step(walk):
    """Note a frame, and go on to its caller; the reason of the end, DEEP where there is a caller.

    A return address is behind the call that it belongs to, and may be that of another function or rule: what counts
    is the byte before it.
    """
    at = walk.pc - walk.back
    locate(walk, at)
    at -= walk.here.bias
    frame = u64(walk.here.file) << FILE_SHIFT | at & LOW
    stack = walk.stack
    stack.frames[stack.depth & (DEPTH - 1)] = frame
    stack.depth += 1
    walk.hash = (walk.hash ^ frame) * MIX
    walk.hash ^= walk.hash >> 32
    if walk.here.file == 0:
        return End.UNMAPPED
    rule = rule_of(walk.here.file, at)
    if rule is None:
        return End.NO_TABLE
    walk.back = rule.kind != Kind.SIGNAL
    return caller(rule, walk)


@skep.inline
def begin(walk, ctx):
    """The registers that the task has in user space; False where it has none."""
    walk.pc = ctx.regs.ip
    walk.sp = ctx.regs.sp
    walk.bp = ctx.regs.bp
    if walk.pc >> 63:
        regs = skep.task_pt_regs(skep.get_current_task_btf())
        walk.pc = regs.ip
        walk.sp = regs.sp
        walk.bp = regs.bp
    walk.back = 0
    walk.hash = 0
    walk.here.start = 0
    walk.here.end = 0
    walk.stack.depth = 0
    walk.stack.end = End.DEEP
    return walk.sp != 0


@skep.inline
def count(walk):
    """Count a stack; the first time, it is kept."""
    key = StackKey(pid=walk.pid, hash=walk.hash)
    known = stacks.lookup(key)
    if known is None:
        walk.stack.count = 1
        if stacks.update(key, walk.stack, NEW) == 0:
            return
        known = stacks.lookup(key)
    if known is None:
        ends.increment(End.LOST)
        return
    skep.atomic_add(known.count, 1)


@skep.perf_event("cpu-clock", frequency=99)
def on_sample(ctx):
    """Count the stack of what runs, if it is watched."""
    pid = u32(skep.get_current_pid_tgid() >> 32)
    if pid not in watched:
        return
    walk = walks.lookup(0)
    if walk is None:
        return
    walk.pid = pid
    if not begin(walk, ctx):
        ends.increment(End.NO_REGISTERS)
        return
    for _ in range(limits.frames):
        walk.stack.end = step(walk)
        if walk.stack.end != End.DEEP:
            break
    ends.increment(walk.stack.end)
    count(walk)
