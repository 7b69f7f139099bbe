"""Where ``skep run`` attaches the programs of a file that only defines them: to what the options name.

A place that nobody can name from outside, such as a socket or a map of the file's own, is an error that says how the
file attaches the program itself.
"""

from skep.base.errors import BadInput
from skep.base.frozen import frozen
from skep.lang.programs import Program
from skep.lang.spec import Hook
from skep.program.live import Live

_DEVICES = frozenset({Hook.XDP, Hook.TCX})
_PROBES = frozenset({Hook.UPROBE, Hook.UPROBE_MULTI, Hook.USDT})
_OF_PROCESSES = _PROBES | {Hook.PERF_EVENT}
_OF_NAMESPACES = frozenset({Hook.NETNS, Hook.NETFILTER, Hook.ROUTE})
_OF_TASKS = ("task", "task_file", "task_vma")
_OF_MAPS = ("bpf_map_elem", "bpf_sk_storage_map", "sockmap")
_INSIDE = frozenset({Hook.SOCKET, Hook.SOCKETS})
_RUN, _BEHIND = "skep.run({0}, ...)", 'live[devices][0] = ("eth0", live.programs["{0}"])'


@frozen
class Place:
    """Where programs go whose place only the user knows."""

    device: str = ""
    netns: str = ""
    cgroup: str = ""
    pid: int = -1
    at: str = ""


def attach(live: Live, program: Program, place: Place) -> None:
    """Attach a loaded program. BadInput where its place is not named, or is one of the file's own."""
    hook, only = program.kind.hook, place.pid if _narrowed(program) else -1
    _no_place_inside(program)
    target = _target(program, place)
    netns = place.netns if hook in _DEVICES | _OF_NAMESPACES else ""
    live.attach(program, target, netns=netns, pid=only)


def _narrowed(program: Program) -> bool:
    """Whether it may look at one process only."""
    of_tasks = program.kind.hook is Hook.ITERATOR and program.hook in _OF_TASKS
    return of_tasks or program.kind.hook in _OF_PROCESSES


def _target(program: Program, place: Place) -> str:
    """What the options say, where a program does not know its place."""
    hook = program.kind.hook
    if hook in _DEVICES:
        return program.hook or _named(
            "device", place.device, f"{program.name} is for packets of a device"
        )
    if hook is Hook.CGROUP or (hook is Hook.ITERATOR and program.hook == "cgroup"):
        return _named("cgroup", place.cgroup, f"{program.name} is for a cgroup", " its directory")
    if hook is Hook.ROUTE:
        example = ' it, as in --at "10.9.0.0/24 dev veth0"'
        return _named("at", place.at, f"{program.name} is for a route", example)
    if hook in _PROBES and not program.hook:
        example = " it, as in --at libc:malloc"
        return _named("at", place.at, f"{program.name} is for a place in a binary", example)
    return ""


def _named(option: str, value: str, problem: str, what: str = " it") -> str:
    if not value:
        raise BadInput(f"--{option}", problem, f"name{what}")
    return value


def _no_place_inside(program: Program) -> None:
    """Refuse what only the file can name."""
    name, hook = program.name, program.kind.hook
    if hook is Hook.ITERATOR and program.hook in _OF_MAPS:
        raise _by_itself(program, "a map", f"live.attach({name}, ...)")
    if hook in _INSIDE:
        what = "a socket" if hook is Hook.SOCKET else "a map of sockets"
        raise _by_itself(program, what, f"live.attach({name}, ...)")
    if hook is Hook.MAP:
        raise _by_itself(program, "a value of a map", _BEHIND.format(name))
    if hook is Hook.NOWHERE:
        raise _by_itself(program, "a request", _RUN.format(name))


def _by_itself(program: Program, what: str, how: str) -> BadInput:
    problem = f"it is for {what}, which only the file can name"
    return BadInput(program.name, problem, f"load it there, by skep.load: {how}")
