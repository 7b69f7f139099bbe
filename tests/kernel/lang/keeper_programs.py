"""Programs that keep objects in values and in other objects, one in each."""

import os

import skep
from skep import Array, Hash, LruHash, Object, Owned, PerCpu, Struct, u32, u64

GETPPID = 110 if os.uname().machine == "x86_64" else 173


class Entry(Object):
    key: u32
    holders: skep.RefCount
    total: u64
    node: skep.ListNode


class Counts(Object):
    runs: u64
    bytes: u64


class Slot(Struct):
    seen: u64
    entry: Owned[Entry]
    counts: PerCpu[Counts]


slots = Hash(u32, Slot, 4)
found = Array(u64, 8)


@skep.tc("ingress")
def keeps(ctx):
    slot = slots.lookup(0)
    entry = Entry.new()
    if entry is None:
        return 1
    if slot is None:
        entry.drop()
        return 1
    entry.key = len(ctx)
    slot.entry.set(entry)
    slot.seen += 1
    return 2


@skep.tc("ingress")
def reads(ctx):
    """What is kept is read and written where it is."""
    slot = slots.lookup(0)
    if slot is None:
        return 1
    entry = slot.entry.get()
    if entry is None:
        return 3
    entry.total += len(ctx)
    found[0] = entry.key
    found[1] = entry.total
    return 2


@skep.tc("ingress")
def takes(ctx):
    slot = slots.lookup(0)
    if slot is None:
        return 1
    entry = slot.entry.take()
    if entry is None:
        return 3
    found[0] = entry.key
    found[1] = entry.total
    entry.drop()
    return 2


@skep.tc("ingress")
def swaps(ctx):
    """The new one for the old one, which goes back for the new one."""
    slot = slots.lookup(0)
    entry = Entry.new()
    if entry is None:
        return 1
    if slot is None:
        entry.drop()
        return 1
    entry.key = len(ctx)
    old = slot.entry.swap(entry)
    if old is None:
        return 3
    found[2] = old.key
    newer = slot.entry.swap(old)
    if newer is not None:
        found[3] = newer.key
        newer.drop()
    return 2


@skep.tc("ingress")
def clears(ctx):
    slot = slots.lookup(0)
    return 7 if slot is None else u32(slot.entry.clear()) * 2 + u32(slot.counts.clear())


@skep.tc("ingress")
def holds(ctx):
    """One more holder of what is kept: it stays there, and goes to the program too."""
    slot = slots.lookup(0)
    if slot is None:
        return 1
    kept = slot.entry.get()
    if kept is None:
        return 3
    entry = kept.acquire()
    if entry is None:
        return 4
    gone = slot.entry.clear()
    found[4] = u64(entry.key) + 1000 * u64(gone)
    entry.drop()
    return 2


def counted(counts, size):
    counts.runs += 1
    counts.bytes += size


@skep.tc("ingress")
def counts_here(ctx):
    slot = slots.lookup(0)
    if slot is None:
        return 1
    mine = slot.counts.here()
    if mine is None:
        made = Counts.new_per_cpu()
        if made is None:
            return 1
        before = slot.counts.swap(made)
        if before is not None:
            before.drop()
        for cpu in range(4):
            each = slot.counts.on(cpu)
            if each is not None:
                each.runs = each.bytes = 0
        mine = slot.counts.here()
        if mine is None:
            return 1
    counted(mine, len(ctx))
    found[5] = mine.runs
    found[6] = mine.bytes
    other = slot.counts.on(100_000)
    return 2 if other is None else 3


@skep.tc("ingress")
def gives_counts_back(ctx):
    slot = slots.lookup(0)
    if slot is None:
        return 1
    counts = slot.counts.take()
    if counts is None:
        return 3
    counts.drop()
    return 2


class Box(Object):
    number: u32
    inner: Owned[Entry]


class Shelf(Struct):
    box: Owned[Box]


shelves = LruHash(u32, Shelf, 4)


@skep.tc("ingress")
def fills(ctx):
    """An object that keeps another one goes with it."""
    shelf = shelves.lookup(1)
    box, entry = Box.new(), Entry.new()
    if box is None:
        if entry is not None:
            entry.drop()
        return 1
    if entry is not None:
        entry.key = len(ctx)
        box.inner.set(entry)
    box.number = 5
    if shelf is None:
        box.drop()
        return 3
    shelf.box.set(box)
    return 2


@skep.tc("ingress")
def opens(ctx):
    shelf = shelves.lookup(1)
    if shelf is None:
        return 1
    box = shelf.box.take()
    if box is None:
        return 3
    entry = box.inner.take()
    found[7] = box.number
    box.drop()
    if entry is None:
        return 4
    found[0] = entry.key
    entry.drop()
    return 2


mine = Hash(u32, u32, 4)
visits = skep.TaskStorage(Slot)


@skep.tp_btf("sys_enter")
def visits_once(regs, number):
    """Of each task, in its storage: kept at one call, taken at the next."""
    if number != GETPPID or u32(skep.get_current_pid_tgid() >> 32) not in mine:
        return
    visit = visits.get(skep.get_current_task_btf())
    if visit is None:
        return
    entry = visit.entry.take()
    if entry is not None:
        found[0] = entry.key
        entry.drop()
        return
    entry = Entry.new()
    if entry is not None:
        entry.key = 77
        visit.entry.set(entry)


lock, unlock = skep.kfunc("bpf_rcu_read_lock"), skep.kfunc("bpf_rcu_read_unlock")


@skep.syscall_program
def waits():
    """A program that may wait: what it finds is there as long as a section of RCU."""
    slot = slots.lookup(0)
    if slot is None:
        return 1
    lock()
    entry = slot.entry.get()
    key = u32(0)
    if entry is not None:
        key = entry.key
        entry.total += 1
    unlock()
    return key


@skep.tc("ingress")
def uses_what_another_name_gave_away(ctx):
    slot = slots.lookup(0)
    entry = Entry.new()
    if entry is None:
        return 1
    if slot is None:
        entry.drop()
        return 1
    other = entry
    slot.entry.set(entry)
    other.key = 5
    return 2
