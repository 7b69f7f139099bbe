"""Programs for tests of the agent: small ones on the agent's own records, and one that no kernel takes."""

from skep import Ring, tp_btf
from skep.agent.powers import Power, Way
from skep.agent.rings import LIFECYCLE, RECORDS
from skep.node.programs.records import Exec, Exit

lifecycle = Ring(*RECORDS[LIFECYCLE], size=1 << 20, name=LIFECYCLE)


@tp_btf("sched_process_exec")
def test_exec(task, old_pid, bprm):
    event = lifecycle.reserve(Exec)
    if event is None:
        return
    event.pid = task.tgid
    event.ppid = task.real_parent.tgid
    event.start = task.start_boottime
    event.comm = task.comm
    event.submit()


@tp_btf("sched_process_exit")
def test_exit(task):
    if task.pid != task.tgid:
        return
    event = lifecycle.reserve(Exit)
    if event is None:
        return
    event.pid = task.tgid
    event.ppid = task.real_parent.tgid
    event.start = task.start_boottime
    event.code = task.exit_code >> 8
    event.signal = task.exit_code & 127
    event.comm = task.comm
    event.submit()


@tp_btf("no_such_tracepoint_anywhere")
def test_absent(task):
    return


EXEC = Power("processes", ("exec",), (Way((test_exec,), "tp_btf sched_process_exec", "90 ns"),))
EXIT = Power("ends", ("exit",), (Way((test_exit,), "tp_btf sched_process_exit", "90 ns"),))
ABSENT = Power("nothing", ("oom",), (Way((test_absent,), "tp_btf no_such", "0 ns"),))
INSTEAD = Power("ends", ("exit",), (*ABSENT.ways, Way((test_exit,), "tp_btf exit", "90 ns", "x")))
TWICE = Power(
    "ends", ("exit",), (Way((test_exit,), "a", "1 ns"), Way((test_exit, test_absent), "b", "1 ns"))
)
LESS = Power(
    "processes",
    ("exec",),
    (Way((test_exec, test_absent), "a", "1 ns"), Way((test_exec,), "b", "1 ns")),
)
