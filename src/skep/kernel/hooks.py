"""How each hook takes a program: one function for each, in the table ``HOOKS``.

Each makes a link of a loaded program and keeps nothing. A hook that this kernel lacks is Unsupported,
one that another program holds is a Conflict; what is fallen back to becomes a remark of the link.
"""

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from skep.base.errors import BadInput, KernelError, Unsupported
from skep.base.lazy import lazy
from skep.kernel import cgroup_places, commands, cpus, perf
from skep.kernel.attachment import Attachment
from skep.kernel.bpf import Door, packed
from skep.kernel.event_links import on_event, together
from skep.kernel.link import Link
from skep.kernel.perf import Sampling
from skep.kernel.place import Place, name_of
from skep.kernel.programs import Program
from skep.kernel.refusal import NETWORK, TRACING, refused
from skep.kernel.tracefs import Tracefs, absent_tracepoint
from skep.lang.spec import Context, Hook, ProgramSpec
from skep.lang.syscall_numbers import tracepoint

if TYPE_CHECKING:
    from skep.kernel.clsact import ClsactLink

probing = lazy("skep.kernel.probing")  # few programs need it

_BY_NAME = (17, 24)  # program types of raw tracepoints, which have no BTF id

# What is done with programs that are not attached one by one.
_INSTEAD = {
    Hook.NOWHERE: "skep.run(program, request) runs one",
    Hook.STRUCT_OPS: "put it into a skep.StructOps, and load that",
    Hook.MAP: 'put it into a value of the map: live[devices][0] = ("eth0", live.programs["name"])',
}

_NO_COUNTER = (errno.ENOENT, errno.EOPNOTSUPP)
"""What perf_event_open answers for hardware that is not there."""

AnyLink: TypeAlias = "Link | ClsactLink | Attachment"
Taker = Callable[[Program, Place, Door], AnyLink]
Former = Callable[[ProgramSpec], ProgramSpec]


def _raw_tracepoint(program: Program, place: Place, door: Door) -> AnyLink:
    """By name, or by the BTF id with which a tp_btf, fentry or LSM program was loaded."""
    name = str(place.target) if program.spec.kind.prog_type in _BY_NAME else ""
    if place.cookie and not name:
        call, extra = "BPF_LINK_CREATE", bytes(packed("IIQ", 0, 0, place.cookie))
        with refused(call, name_of(program, place), needs=TRACING, door=door):
            kind = program.spec.kind.attach_type
            fd = commands.link_create(door, program.fd, 0, kind, extra=extra)
        return Link((fd,), name_of(program, place), door=door)
    try:
        with refused("BPF_RAW_TRACEPOINT_OPEN", name_of(program, place), needs=TRACING, door=door):
            fd = commands.raw_tracepoint_open(door, program.fd, name)
    except KernelError as error:
        if not name or error.errno != errno.ENOENT:
            raise
        raise Unsupported(name_of(program, place), absent_tracepoint(name, door)) from error
    return Link((fd,), name_of(program, place), door=door)


def _tracepoint(program: Program, place: Place, door: Door) -> AnyLink:
    with Tracefs.open(door=door) as tracefs:
        fd = _on_tracepoint(program, place, tracefs, door)
    return Link((fd,), name_of(program, place), door=door)


def _on_tracepoint(program: Program, place: Place, tracefs: Tracefs, door: Door) -> int:
    number = tracefs.event_id(str(place.target))
    with refused("perf_event_open", name_of(program, place), needs=TRACING, door=door):
        event = perf.open_tracepoint(door, number)
    return on_event(program, place, event, door)


def _syscall(program: Program, place: Place, door: Door) -> AnyLink:
    """At the tracepoints of the calls that it wants, as one link."""
    spec = program.spec
    if spec.kind.context is Context.SUBSCRIBED_RAW:
        problem = "it is for the hook of all system calls, which has one owner"
        raise BadInput(spec.name, problem, "attach it by a Dispatcher")
    names = [f"syscalls/{tracepoint(spec.target, call)}" for call in spec.calls]
    with Tracefs.open(door=door) as tracefs:
        found = (_on_tracepoint(program, place._replace(target=n), tracefs, door) for n in names)
        return together(found, f"{spec.target} of {', '.join(spec.calls)}", door)


def _perf_event(program: Program, place: Place, door: Door) -> AnyLink:
    sampling = _sampling(program)
    where = [(-1, place.pid)] if place.pid >= 0 else [(cpu, -1) for cpu in cpus.online()]
    events = (_sampled(sampling, cpu, pid, door) for cpu, pid in where)
    found = (on_event(program, place, event, door) for event in events)
    return together(found, f"perf_event {sampling.event}", door)


def _sampled(sampling: Sampling, cpu: int, pid: int, door: Door) -> int:
    """The perf event. Unsupported where the machine has no counter for it."""
    try:
        with refused("perf_event_open", sampling.event, needs=TRACING, door=door):
            return perf.open_sampling(door, sampling, cpu, pid)
    except KernelError as error:
        if error.errno not in _NO_COUNTER:
            raise
        reason = f"this machine has no counter for it ({error.meaning})"
        raise Unsupported(f"sampling by {sampling.event}", reason, instead="cpu-clock") from error


def _sampling(program: Program) -> Sampling:
    """The sampling that the program's options ask for."""
    options = dict(program.spec.options)
    default = Sampling()
    event = str(options.get("event", program.spec.target or default.event))
    period = int(options.get("period", 0))
    return Sampling(event, int(options.get("frequency", default.frequency)), period)


def _cgroup(program: Program, place: Place, door: Door) -> AnyLink:
    path = str(place.target)
    if not path:
        expected = f"give {cgroup_places.DIRECTORY}"
        raise BadInput("cgroup", "a cgroup program is attached to a cgroup", expected)
    name, kind = name_of(program, place), program.spec.kind.attach_type
    with (
        cgroup_places.opened(path) as cgroup,
        refused("BPF_LINK_CREATE", name, needs=NETWORK, door=door),
    ):
        fd = commands.link_create(door, program.fd, cgroup, kind)
    return Link((fd,), name, door=door)


def _nowhere(program: Program, _place: Place, _door: Door) -> AnyLink:
    """A program that only its loader runs, or that is part of a table."""
    problem = f"{program.spec.kind.name} programs are not attached one by one"
    raise BadInput(program.spec.name, problem, _INSTEAD[program.spec.kind.hook])


def _later(module: str, name: str) -> Taker:
    """A function of a module that is imported when a program needs it: most programs need none of these."""
    home = lazy(f"skep.kernel.{module}")

    def take(program: Program, place: Place, door: Door) -> AnyLink:
        link: AnyLink = getattr(home, name)(program, place, door)
        return link

    return take


def _singly(spec: ProgramSpec) -> ProgramSpec:
    made: ProgramSpec = probing.singly(spec)
    return made


HOOKS: dict[Hook, Taker] = {
    Hook.RAW_TRACEPOINT: _raw_tracepoint,
    Hook.TRACEPOINT: _tracepoint,
    Hook.PERF_EVENT: _perf_event,
    Hook.ITERATOR: _later("iterators", "iterator"),
    Hook.KPROBE: _later("probing", "kprobe"),
    Hook.KPROBE_MULTI: _later("probing", "kprobe_multi"),
    Hook.UPROBE: _later("probing", "uprobe"),
    Hook.UPROBE_MULTI: _later("probing", "uprobe_multi"),
    Hook.USDT: _later("probing", "usdt"),
    Hook.SOCKET: _later("sockets", "filtered"),
    Hook.SOCKETS: _later("sockets", "mapped"),
    Hook.NETNS: _later("netns_hooks", "netns"),
    Hook.NETFILTER: _later("netns_hooks", "netfilter"),
    Hook.ROUTE: _later("routes", "routed"),
    Hook.NOWHERE: _nowhere,
    Hook.STRUCT_OPS: _nowhere,
    Hook.MAP: _nowhere,
    Hook.CGROUP: _cgroup,
    Hook.XDP: _later("devices", "xdp"),
    Hook.TCX: _later("devices", "tcx"),
    Hook.SYSCALL: _syscall,
}

FORMS: dict[Hook, Former] = {Hook.KPROBE_MULTI: _singly}


def hookable(spec: ProgramSpec) -> ProgramSpec:
    """A program in the form in which this kernel's hook takes it, which is known before it is loaded."""
    former = FORMS.get(spec.kind.hook)
    return former(spec) if former else spec
