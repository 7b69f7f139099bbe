"""The owner of exclusive and hot hooks: whoever wants one comes here, and shares it with those who come to the same.

A dispatcher lives as long as the links that it gave; nothing is attached when the last of a hook is closed. Programs of
another dispatcher, in this process or another, are strangers to it: they are a Conflict where the hook is exclusive.
"""

import os
from collections.abc import Callable, Mapping, Sequence

from skep.kernel.devices import device
from skep.kernel.dispatch.chain import Chain, ChainLink
from skep.kernel.dispatch.plan import (
    COSTS,
    Costs,
    Held,
    SyscallPlan,
    SyscallSubscriber,
    plan_syscalls,
)
from skep.kernel.dispatch.syscalls import Gate, SharedHead
from skep.kernel.dispatch.xdp import XdpHead
from skep.kernel.links import AnyLink, attach
from skep.kernel.namespaces import inside
from skep.kernel.programs import Program
from skep.lang.syscall_numbers import NUMBERS, numbered

ENTER, EXIT = "sys_enter", "sys_exit"


class Dispatcher:
    """``live.attach`` uses one; give it to several ``skep.load`` that are to share devices and the hook of all calls.

    ``rates`` are system calls per second by name, to choose hooks by; ``costs`` what a hook costs. Where ``rates`` is
    None, who uses the dispatcher counts them first (``rates`` is then set).
    """

    def __init__(self, *, rates: Mapping[str, float] | None = None, costs: Costs = COSTS) -> None:
        self.rates, self.costs = rates, costs
        self._devices: dict[tuple[int, int], tuple[XdpHead, Chain]] = {}
        self._shared: dict[str, Chain] = {}
        self._classic: dict[str, list[AnyLink]] = {ENTER: [], EXIT: []}

    # --- XDP ------------------------------------------------------------------------------------------------------

    def attach_xdp(
        self, program: Program, target: str | int, *, netns: str = "", mode: str = ""
    ) -> ChainLink:
        """Lets a chained program run on a device, in the place that its option ``order`` says.

        The lowest order runs first; the first verdict other than PASS ends the packet's way. ``target``, ``netns`` and
        ``mode`` are as in ``links.attach``. Conflict where another program has the place, or a stranger the device.
        """
        index = inside(netns, lambda: device(target))
        namespace = os.stat(netns or "/proc/thread-self/ns/net").st_ino
        head, chain = self._devices.get((namespace, index), (None, None))
        if head is None or chain is None or not chain.links:
            head = XdpHead(target, netns=netns, mode=mode)
            chain = Chain(head)
            self._devices[namespace, index] = head, chain
        head.require(mode)
        link = chain.add(program, int(dict(program.spec.options)["order"]))
        link.remarks = head.remarks
        return link

    # --- system calls ---------------------------------------------------------------------------------------------

    def plan(self, subscribers: Sequence[SyscallSubscriber], side: str) -> SyscallPlan | None:
        """How these would be hooked, beside those that are there; see ``plan_syscalls``.

        A call that the table of numbers does not have is hooked at its own tracepoint, and so are all on other machines
        than x86-64. Who is hooked stays where it is: a later plan moves nobody.
        """
        wanted = {call for one in subscribers for call in one.calls}
        rates = self.rates or {}
        known = numbered() and wanted <= set(NUMBERS)
        costs = self.costs if known else self.costs._replace(raw=float("inf"))
        held = Held(
            known and self.behind(side) > 0, any(one.fd >= 0 for one in self._classic[side])
        )
        at_exit = side == EXIT
        return plan_syscalls(subscribers, rates, at_exit=at_exit, costs=costs, held=held)

    def behind(self, side: str) -> int:
        """How many programs are behind the hook that all calls share."""
        return len(self._shared[side].links) if side in self._shared else 0

    def attach_shared(self, program: Program, load: Callable[[], Gate]) -> ChainLink:
        """Lets a subscriber run behind the hook that all calls share; for the first, ``load`` loads the gate."""
        side = program.spec.target
        chain = self._shared.setdefault(side, Chain(SharedHead(side, load)))
        last = chain.links[-1].order if chain.links else 0
        return chain.add(program, last + 1)

    def attach_classic(self, program: Program) -> AnyLink:
        """Attaches a subscriber to the tracepoints of its calls."""
        link = attach(program)
        open_ones = [one for one in self._classic[program.spec.target] if one.fd >= 0]
        self._classic[program.spec.target] = [*open_ones, link]
        return link
