"""``skep.load``: programs compiled, loaded and attached, or an error and nothing left behind."""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from skep.base.config import environment
from skep.base.lazy import lazy
from skep.lang.programs import Program
from skep.lang.spec import Hook
from skep.lang.struct_ops import StructOps
from skep.program.interruption import untimed
from skep.program.live import Live
from skep.program.live_maps import Initial, pins_of
from skep.program.machine import Machine
from skep.program.objects import compiled
from skep.program.plainly import plainly

if TYPE_CHECKING:
    from skep.kernel.dispatch.owner import Dispatcher

dispatched = lazy("skep.program.dispatched")  # only programs that share a hook need it


def _programs(given: Program | StructOps) -> tuple[Program, ...]:
    return given.programs if isinstance(given, StructOps) else (given,)


def _depth(program: Program) -> int:
    """How many programs it stands upon, which are loaded before it."""
    return 0 if program.onto is None else 1 + _depth(program.onto)


@plainly
def load(
    *wanted: Program | StructOps,
    machine: Machine | None = None,
    attach: bool = True,
    initial: Initial | None = None,
    pins: str | None = "",
    dispatcher: "Dispatcher | None" = None,
) -> Live:
    """Compile, load and attach programs: ``with skep.load(on_exec) as live: for event in live[ring]: ...``.

    Programs whose place only the caller knows (XDP, tc, cgroup) are loaded; ``live.attach`` attaches them.
    CompileError at what is outside the language, VerifierError where the kernel refuses, Unsupported where it lacks
    something, Forbidden without the privilege, Conflict where a pin has another layout. When it raises, nothing is left
    behind but pins. ``initial`` gives Globals their first values. ``pins`` is the directory of pinned maps, "" that of
    the instance (SKEP_INSTANCE), None: nothing is pinned. Loads that are given one ``dispatcher`` share devices and the
    hook of all system calls. With SKEP_TRACE what the programs print is shown on the error output.
    """
    if not wanted or not all(isinstance(program, Program | StructOps) for program in wanted):
        raise TypeError(
            "skep.load takes programs: functions decorated with skep.tp_btf, skep.xdp, ..."
        )
    host = machine or Machine()
    programs = sorted((one for given in wanted for one in _programs(given)), key=_depth)
    live = Live(host, pins_of(pins), initial, dispatcher)
    shared = any(program.kind.hook is Hook.SYSCALL for program in programs)
    with untimed():
        forms = dispatched.forms(programs, live.dispatcher, host) if shared else programs
        made = compiled(forms, host)
    for refusal in host.refusals:
        warnings.warn(f"{refusal}; programs are compiled anew", RuntimeWarning, stacklevel=3)
    try:
        with untimed():
            for program, one in zip(programs, live.share(made), strict=True):
                live.add(program, one)
        live.check_initial()
        if environment().trace:
            live.trace()
        if attach:
            _attach(live, wanted)
    except BaseException:
        live.close()
        raise
    return live


def _attach(live: Live, wanted: Sequence[Program | StructOps]) -> None:
    """Attach what says itself where."""
    for given in wanted:
        if isinstance(given, StructOps):
            live.register(given)
        elif given.by_itself:
            live.attach(given)
