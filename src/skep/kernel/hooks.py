"""How each hook takes a program: one function for each, in the table ``HOOKS``.

Each makes a link of a loaded program and keeps nothing. A hook that this kernel lacks is Unsupported,
one that another program holds is a Conflict; what is fallen back to becomes a remark of the link.
"""

import errno
import os
from collections.abc import Callable
from contextlib import suppress

from skep.base.errors import BadInput, Conflict, KernelError, SkepError, Unsupported
from skep.base.lazy import lazy
from skep.kernel import commands, cpus, perf
from skep.kernel.attachment import Attachment
from skep.kernel.bpf import Door, packed
from skep.kernel.clsact import ClsactLink, Spot
from skep.kernel.commands import Command
from skep.kernel.link import Link
from skep.kernel.namespaces import inside
from skep.kernel.netlink import Netlink
from skep.kernel.objects import program_info
from skep.kernel.perf import Sampling
from skep.kernel.place import Place, name_of
from skep.kernel.programs import Program
from skep.kernel.refusal import ABSENT, NETWORK, TRACING, meaning, refusal, refused
from skep.kernel.tracefs import Tracefs, absent_tracepoint
from skep.lang.spec import Context, Hook
from skep.lang.syscall_numbers import tracepoint

_PERF_EVENT, _XDP = 41, 37  # enum bpf_attach_type
_NATIVE, _GENERIC = 1 << 2, 1 << 1  # XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE
_MODES = {"native": (_NATIVE,), "generic": (_GENERIC,), "": (_NATIVE, _GENERIC)}
_NO_DRIVER = (*ABSENT, errno.ERANGE)
_BEFORE, _LINK = 1 << 3, 1 << 13
_BY_NAME = (17, 24)  # program types of raw tracepoints, which have no BTF id

# What is done with programs that are not attached one by one.
_INSTEAD = {
    Hook.NOWHERE: "skep.run(program, request) runs one",
    Hook.STRUCT_OPS: "put it into a skep.StructOps, and load that",
    Hook.MAP: 'put it into a value of the map: live[devices][0] = ("eth0", live.programs["name"])',
}

_DIRECTORY = "its directory below /sys/fs/cgroup"
_NO_COUNTER = (
    errno.ENOENT,
    errno.EOPNOTSUPP,
)  # what perf_event_open answers for hardware that is not there

AnyLink = Link | ClsactLink | Attachment
Taker = Callable[[Program, Place, Door], AnyLink]


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
    return _on_event(program, place, event, door)


def _syscall(program: Program, place: Place, door: Door) -> AnyLink:
    """At the tracepoints of the calls that it wants, as one link."""
    spec, fds = program.spec, list[int]()
    if spec.kind.context is Context.SUBSCRIBED_RAW:
        problem = "it is for the hook of all system calls, which has one owner"
        raise BadInput(spec.name, problem, "attach it by a Dispatcher")
    try:
        with Tracefs.open(door=door) as tracefs:
            for call in spec.calls:
                one = place._replace(target=f"syscalls/{tracepoint(spec.target, call)}")
                fds.append(_on_tracepoint(program, one, tracefs, door))
    except BaseException:
        for fd in fds:
            door.close(fd)
        raise
    return Link(tuple(fds), f"{spec.target} of {', '.join(spec.calls)}", door=door)


def _perf_event(program: Program, place: Place, door: Door) -> AnyLink:
    sampling = _sampling(program)
    where = [(-1, place.pid)] if place.pid >= 0 else [(cpu, -1) for cpu in cpus.online()]
    fds: list[int] = []
    try:
        for cpu, pid in where:
            event = _sampled(sampling, cpu, pid, door)
            fds.append(_on_event(program, place, event, door))
    except BaseException:
        for fd in fds:
            door.close(fd)
        raise
    return Link(tuple(fds), f"perf_event {sampling.event}", door=door)


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


def _on_event(program: Program, place: Place, event: int, door: Door) -> int:
    """A link to a perf event, which it then keeps alive; the event's own descriptor is closed."""
    try:
        with refused("BPF_LINK_CREATE", name_of(program, place), needs=TRACING, door=door):
            extra = bytes(packed("Q", place.cookie)) if place.cookie else b""
            fd = commands.link_create(door, program.fd, event, _PERF_EVENT, extra=extra)
            perf.enable(door, event)
            return fd
    finally:
        door.close(event)


def _cgroup(program: Program, place: Place, door: Door) -> AnyLink:
    path = str(place.target)
    if not path:
        raise BadInput("cgroup", "a cgroup program is attached to a cgroup", f"give {_DIRECTORY}")
    try:
        cgroup = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        problem = f"{path} cannot be opened ({error.strerror})"
        raise BadInput("cgroup", problem, f"give {_DIRECTORY}") from error
    try:
        with refused("BPF_LINK_CREATE", name_of(program, place), needs=NETWORK, door=door):
            fd = commands.link_create(door, program.fd, cgroup, program.spec.kind.attach_type)
    finally:
        os.close(cgroup)
    return Link((fd,), name_of(program, place), door=door)


def _xdp(program: Program, place: Place, door: Door) -> AnyLink:
    """In the driver where it can, else in the stack; a device has one XDP link."""

    def work() -> AnyLink:
        index, name = device(place.target), name_of(program, place)
        first, *others = _MODES[_mode(place, tuple(_MODES))]
        try:
            fd = _xdp_link(program, index, first, door)
        except OSError as error:
            if error.errno not in _NO_DRIVER or first == _GENERIC:
                raise _xdp_refusal(error, name, index, door) from error
            if not others:
                reason = f"the device's driver refuses it: {meaning(error.errno)}"
                instead = 'mode="generic", which is slower'
                raise Unsupported(f"native mode for {name}", reason, instead=instead) from error
            fd, remark = _xdp_generic(program, index, name, error, door)
            return Link((fd,), name, remarks=(remark,), door=door)
        return Link((fd,), name, door=door)

    return inside(place.netns, work, door=door)


def _mode(place: Place, known: tuple[str, ...]) -> str:
    if place.mode not in known:
        expected = f"give {', '.join(filter(None, known))}, or none for the better one"
        raise BadInput("mode", f"there is no mode {place.mode!r} here", expected)
    return place.mode


def _xdp_link(program: Program, index: int, flags: int, door: Door) -> int:
    return commands.link_create(door, program.fd, index, _XDP, flags=flags)


def _xdp_generic(
    program: Program, index: int, name: str, why: OSError, door: Door
) -> tuple[int, str]:
    reason = meaning(why.errno or 0)
    remark = f"{name} runs in generic mode, slower, for the driver refuses it: {reason}"
    try:
        return _xdp_link(program, index, _GENERIC, door), remark
    except OSError as error:
        raise _xdp_refusal(error, name, index, door) from error


def _xdp_refusal(error: OSError, name: str, index: int, door: Door) -> SkepError:
    """Says which program holds the device, where one does."""
    found = refusal(error, "BPF_LINK_CREATE", name, needs=NETWORK, exclusive=True, door=door)
    if isinstance(found, Conflict):
        with suppress(OSError), Netlink() as netlink:
            holder = next(d.xdp for d in netlink.devices() if d.ifindex == index)
            if holder:
                who = f"XDP program {holder}{_called(holder, door)}"
                return Conflict(found.what, who, f"`skep prog {holder}` shows whose it is")
    return found


def _called(number: int, door: Door) -> str:
    """The name of a program in brackets, "" where it has none or may not be seen."""
    with suppress(OSError):
        fd = commands.by_id(door, Command.PROG_BY_ID, number)
        try:
            return f" ({program_info(door, fd).name})"
        finally:
            door.close(fd)
    return ""


def _nowhere(program: Program, _place: Place, _door: Door) -> AnyLink:
    """A program that only its loader runs, or that is part of a table."""
    problem = f"{program.spec.kind.name} programs are not attached one by one"
    raise BadInput(program.spec.name, problem, _INSTEAD[program.spec.kind.hook])


def _tcx(program: Program, place: Place, door: Door) -> AnyLink:
    """A tcx link (6.6); on older kernels a filter of a clsact qdisc."""

    def work() -> AnyLink:
        index, name = device(place.target), name_of(program, place)
        if _mode(place, ("clsact", "")) == "clsact":
            spot = Spot(index, program.spec.kind.attach_type, place.netns, bool(place.before))
            return ClsactLink.create(program, spot, name, asked=True, door=door)
        flags, relative = _order(place)
        kind = program.spec.kind.attach_type
        extra = commands.relative(relative)
        try:
            fd = commands.link_create(door, program.fd, index, kind, flags=flags, extra=extra)
        except OSError as error:
            if error.errno in ABSENT and not isinstance(place.before, Link):
                spot = Spot(index, kind, place.netns, first=place.before)
                return ClsactLink.create(program, spot, name, door=door)
            raise refusal(error, "BPF_LINK_CREATE", name, needs=NETWORK, door=door) from error
        return Link((fd,), name, door=door)

    return inside(place.netns, work, door=door)


def _order(place: Place) -> tuple[int, int]:
    """Flags and relative descriptor of a place among tcx links."""
    if isinstance(place.before, Link):
        return _BEFORE | _LINK, place.before.fd
    return (_BEFORE if place.before else 0), 0


def device(target: str | int) -> int:
    """The index of a network device of the calling thread's namespace."""
    if isinstance(target, int):
        return target
    with Netlink() as netlink:
        devices = netlink.devices()
    found = next((one.ifindex for one in devices if one.name == target), 0)
    if not found:
        known = ", ".join(one.name for one in devices)
        raise BadInput("device", f"there is no network device {target!r}", f"there are {known}")
    return found


def _later(module: str, name: str) -> Taker:
    """A function of a module that is imported when a program needs it: most programs need none of these."""
    home = lazy(f"skep.kernel.{module}")

    def take(program: Program, place: Place, door: Door) -> AnyLink:
        link: AnyLink = getattr(home, name)(program, place, door)
        return link

    return take


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
    Hook.XDP: _xdp,
    Hook.TCX: _tcx,
    Hook.SYSCALL: _syscall,
}
