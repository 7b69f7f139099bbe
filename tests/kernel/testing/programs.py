"""Programs for tests of the fixtures."""

import skep
from skep import Hash, Record, Ring, char, u32
from tests.kernel.program.programs import GETPPID


class Asked(Record):
    """A process of ``watched`` that asked for its parent."""

    pid: u32
    code: u32
    comm: char[16]


watched = Hash(u32, u32, 8)
asked = Ring(Asked, size=4096)


@skep.tp_btf("sys_enter")
def on_call(regs, number):
    pid = u32(skep.get_current_pid_tgid() >> 32)
    code = watched.lookup(pid)
    if number != GETPPID or code is None:
        return
    e = asked.reserve()
    if e is None:
        return
    e.pid = pid
    e.code = code
    skep.get_current_comm(e.comm)
    e.submit()


@skep.xdp
def on_packet(ctx):
    watched.increment(1)
    e = asked.reserve()
    if e is not None:
        e.pid = 1
        e.submit()
    return 2
