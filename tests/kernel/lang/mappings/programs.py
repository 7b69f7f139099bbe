"""Programs that look for the mapping of an address."""

import skep
from skep import Array, Hash, Struct, u32, u64


class Found(Struct):
    """A mapping, and whose it is."""

    start: u64
    end: u64
    pid: u32


places = Hash(u32, u64, 8)
found = Array(Found, 1)
seen = Hash(u64, u64, 64)
results = Array(u64, 4)


def notes(task, mapping):
    """What is to be known outlives the call in a map."""
    seen[mapping.vm_start] = mapping.vm_end


def tells(task, mapping, told):
    """Or in memory of the caller's."""
    told.start = mapping.vm_start
    told.end = mapping.vm_end
    told.pid = task.tgid


@skep.tp_btf("sys_enter")
def looks(regs, number):
    """The mapping of an address that a process named, and of none."""
    address = places.lookup(u32(skep.get_current_pid_tgid() >> 32))
    if address is None:
        return
    task = skep.get_current_task_btf()
    results[0] = u64(skep.find_vma(task, address, notes))
    told = Found()
    results[1] = u64(skep.find_vma(task, u64(address) + 1, tells, told))
    results[2] = u64(skep.find_vma(task, 8, tells, told))
    found[0] = told
