"""What the dispatcher of hooks needs from the compiler: forms of subscribers, the gates, and rates to choose by.

Nothing is kept here: a form is a program, a gate belongs to whom it is given.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from skep.kernel.dispatch.chain import ChainLink
from skep.kernel.dispatch.owner import ENTER, EXIT, Dispatcher
from skep.kernel.dispatch.plan import SyscallSubscriber
from skep.kernel.dispatch.programs import gates
from skep.kernel.dispatch.syscalls import Gate
from skep.kernel.hooks import AnyLink
from skep.kernel.links import attach as attach_alone
from skep.kernel.maps import Map
from skep.kernel.place import Place
from skep.kernel.programs import Program as Loaded
from skep.lang.finish import Compiled
from skep.lang.programs import Program
from skep.lang.syscall_numbers import NUMBERS, numbered
from skep.lang.syscalls import CLASSIC, RAW, raw_form, subscribes
from skep.program.machine import Machine
from skep.program.objects import compiled

COUNTED_SECONDS = 0.05
GATES = {ENTER: gates.ENTER, EXIT: gates.EXIT}
BITS = {ENTER: gates.entries, EXIT: gates.exits}


def forms(wanted: Sequence[Program], dispatcher: Dispatcher, machine: Machine) -> list[Program]:
    """The programs, each subscriber of system calls in the form in which it is to be hooked.

    Calls are counted for 50 ms first, where there is something to choose and the dispatcher knows no rates.
    """
    open_ones = [one for one in wanted if one.kind is CLASSIC]
    if open_ones and dispatcher.rates is None and numbered():
        dispatcher.rates = count(machine)
    raw = [side for side in (ENTER, EXIT) if _raw(side, wanted, dispatcher)]
    movable = [one for one in open_ones if one.hook in raw and set(one.calls) <= set(NUMBERS)]
    return [raw_form(one) if one in movable else one for one in wanted]


def _raw(side: str, wanted: Sequence[Program], dispatcher: Dispatcher) -> bool:
    asking = [
        SyscallSubscriber(one.name, one.calls, at_exit=side == EXIT)
        for one in wanted
        if subscribes(one) and one.hook == side
    ]
    plan = dispatcher.plan(asking, side)
    return plan is not None and plan.raw


def attach(
    program: Loaded, place: Place, dispatcher: Dispatcher, machine: Machine
) -> "AnyLink | ChainLink":
    """Puts a loaded program at the hook that it shares with others."""
    kind = program.spec.kind
    if kind is RAW:
        return dispatcher.attach_shared(program, gate(program.spec.target, machine))
    if kind is CLASSIC:
        return dispatcher.attach_classic(program)
    return dispatcher.attach_xdp(program, place.target, netns=place.netns, mode=place.mode)


def gate(side: str, machine: Machine) -> Callable[[], Gate]:
    """What loads the gate of one side."""

    def load() -> Gate:
        (made,) = compiled([GATES[side]], machine)
        program, maps = _loaded(made, machine)
        return Gate(program, maps[made.maps.index(BITS[side])], maps)

    return load


def count(machine: Machine, seconds: float = COUNTED_SECONDS) -> dict[str, float]:
    """System calls per second by name, native ones of the whole machine, counted for so long."""
    (made,) = compiled([gates.sys_enter_count], machine)
    program, maps = _loaded(made, machine)
    try:
        with attach_alone(program):
            start = time.monotonic()
            time.sleep(seconds)
            passed = time.monotonic() - start
        called = dict(maps[made.maps.index(gates.called)].items())
        return {name: sum(called[number]) / passed for name, number in NUMBERS.items()}
    finally:
        program.close()
        for one in maps:
            one.close()


def _loaded(made: Compiled, machine: Machine) -> tuple[Loaded, tuple[Map, ...]]:
    with ExitStack() as stack:
        maps = [stack.enter_context(Map.create(spec)) for spec in made.spec.maps]
        program = Loaded.load(made.spec, maps, machine.btf)
        stack.pop_all()
        return program, tuple(maps)
