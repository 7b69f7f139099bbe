"""The table of powers: what the agent of a node turns on. A power is one row; its ways are tried in order.

Rows depend on the kernel's types, where a hook has another shape from one release to the next. Costs
are what the kernel measured on a virtual machine of 2.6 GHz, for one run.
"""

from collections.abc import Callable

from skep.agent.powers import Power, Refusal, Way
from skep.agent.rings import CONNECTIONS, DROPS, LIFECYCLE, TEXTS
from skep.base.errors import Unsupported
from skep.btf.reader import Btf
from skep.btf.types import Kind
from skep.flows import connections, drops
from skep.lang.programs import Program
from skep.node.proc import of_initial_namespace
from skep.node.programs import lifecycle, tasks
from skep.trace import oom

WEIGHTS = {LIFECYCLE: 4.0, CONNECTIONS: 2.0, DROPS: 1.0, TEXTS: 1.0}
"""Shares of the budget that the rings get."""
RINGS_SHARE = 0.5
"""The share of the budget that is for rings; the rest is for maps."""
NESTED = (
    "the agent is in a pid namespace: of processes outside of it that began before the agent, "
    "parents and ancestors are not known (run it in that of the host)"
)


def powers(btf: Btf) -> tuple[Power, ...]:
    """The table, for a kernel with these types."""
    last = parameters(btf, "sched_process_exit") > 2
    on_exec, on_fork, on_exit = lifecycle.programs(group_dead=last)
    once = "once, at the start"
    table = (
        Way(tasks.programs(), "iterator task, /proc", once, _outside()),
        Way((), "/proc", once, _outside("starts of processes are known to 10 ms")),
    )
    return (
        Power("who did it", (), table, base=True),
        _one("exec", on_exec, "tp_btf sched_process_exec", "0.7 us a start"),
        _one("fork", on_fork, "tp_btf sched_process_fork", "0.3 us a process"),
        _one("exit", on_exit, "tp_btf sched_process_exit", "0.3 us a thread"),
        Power("connections", ("connect", "accept", "close"), _tcp(btf)),
        _known("drops", "drop", lambda: drops.programs(btf), "tp_btf kfree_skb", "0.1 us a packet"),
        _known("OOM kills", "oom", lambda: oom.programs(btf), "tp_btf mark_victim", "1 us a kill"),
    )


def _outside(narrows: str = "") -> str:
    """``narrows``, and what an agent does not know that is in a pid namespace of its own."""
    return narrows if of_initial_namespace() else "; ".join(filter(None, (narrows, NESTED)))


def _tcp(btf: Btf) -> tuple[Way | Refusal, ...]:
    """Ways to connections: what the first sees, each of the others sees less of."""
    states, calls = "tp_btf inet_sock_set_state", "sys_exit_accept*, sys_exit_connect"
    cost, unsent = "0.5 us a change", connections.attempts(btf)
    return (
        Way(
            connections.from_listeners(),
            f"fexit inet_csk_accept, __inet_stream_connect, {states}",
            cost,
        ),
        _with_io_uring(btf, f"{states}, io_uring_complete, {calls}"),
        Way(
            connections.calls_only(btf),
            f"{states}, {calls}",
            cost,
            f"{connections.WITHOUT_IO_URING}; {unsent}",
        ),
        Way(
            connections.states_only(),
            states,
            cost,
            f"{connections.WITHOUT_ACCEPT}; {connections.WITHOUT_ATTEMPTS}",
        ),
    )


def _with_io_uring(btf: Btf, hook: str) -> Way | Refusal:
    """Connections with the accepts of io_uring, where the kernel has it."""
    try:
        programs = connections.programs(btf)
    except Unsupported as error:
        return Refusal(hook, error.reason)
    cost = "0.5 us a change; io_uring: 0.06"
    return Way(programs, hook, cost, f"{connections.NARROWS}; {connections.attempts(btf)}")


def parameters(btf: Btf, tracepoint: str) -> int:
    """How many arguments a tracepoint has, its context included; 0 where there is none."""
    found = btf.find(Kind.TYPEDEF, f"btf_trace_{tracepoint}")
    return len(btf.prototype(found).params) if found is not None else 0


def _one(kind: str, program: Program, hook: str, cost: str) -> Power:
    return Power(kind, (kind,), (Way((program,), hook, cost),), base=True)


def _known(
    name: str, kind: str, make: Callable[[], tuple[Program, ...]], hook: str, cost: str
) -> Power:
    """A power of one way, which this kernel may be known not to have."""
    try:
        return Power(name, (kind,), (Way(make(), hook, cost),))
    except Unsupported as error:
        return Power(name, (kind,), (Refusal(hook, error.reason),))
