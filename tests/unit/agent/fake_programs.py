"""Programs that are in no kernel, and the engine of an agent over them."""

from skep.agent.plan import RingPlan
from skep.agent.powers import Outcome, Power, Refusal, Way
from skep.agent.programs import MapUse
from skep.agent.stall import RingCount
from skep.flows.drops import SiteTotal
from skep.kernel.objects import ProgramInfo

WAY = Way((), "tp_btf sched_process_exec", "0.7 us a start")
EXEC = Power("exec", ("exec",), (WAY,), base=True)
DROP = Power("drops", ("drop",), (Refusal("tp_btf kfree_skb", "too old"),))
INSTEAD = Power("exit", ("exit",), (Refusal("fexit", "a policy refuses it"), WAY))


class FakePrograms:
    """One program, one map, and three outcomes."""

    def __init__(self) -> None:
        self.misses = 0
        self.outcomes = (
            Outcome(EXEC, WAY),
            Outcome(DROP, None, (Refusal("tp_btf kfree_skb", "too old"),)),
            Outcome(INSTEAD, WAY, (Refusal("fexit", "a policy refuses it"),)),
        )
        self.rings: tuple[RingPlan, ...] = ()
        self.closed = False
        self.waiting: dict[str, RingCount] = {}

    def counts(self) -> dict[str, RingCount]:
        return self.waiting

    def infos(self) -> list[ProgramInfo]:
        return [ProgramInfo(3, 26, "on_exec", "", 8, 8, 0, 0, 700, 1, self.misses, 1)]

    def maps(self) -> list[MapUse]:
        return [MapUse(4, "lifecycle", "ringbuf", 1 << 20)]

    def drops(self) -> list[SiteTotal]:
        return [SiteTotal(2, 0x10, 50, 16)]

    def link(self, _: object) -> int:
        return -1

    def links(self) -> list[tuple[int, str]]:
        return [(9, "exec")]
