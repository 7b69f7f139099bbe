"""Attaching: a program to its hook, as a link that detaches when it is closed.

What was fallen back to stands in the link's ``remarks``, for a face to say aloud.
"""

from skep.base.errors import BadInput
from skep.kernel.hooks import HOOKS, AnyLink
from skep.kernel.link import Link
from skep.kernel.place import Place
from skep.kernel.programs import Program
from skep.lang.spec import Hook

__all__ = ["AnyLink", "Link", "attach"]


def attach(
    program: Program,
    target: str | int = "",
    *,
    netns: str = "",
    before: object = False,
    mode: str = "",
    pid: int = -1,
    cookie: int = 0,
) -> AnyLink:
    """Attaches ``program``; closing the link detaches it.

    ``target`` is what the spec names, unless given: a tracepoint, a function, a place in a binary
    ("libc:malloc"); for XDP and tcx a device (name or index) in the namespace of file ``netns`` (""
    is ours); for a cgroup program the directory of a cgroup; the descriptor of a socket, of a map of
    sockets, or of the map that an iterator goes over; a route ("10.9.0.0/24 dev veth0") for lwt.
    A perf event program samples on all CPUs, or only the process ``pid``; probes of binaries and
    iterators over tasks are narrowed to it likewise. ``before`` is the tcx link to run before, or
    True for the first place. ``mode`` of XDP is "native", "generic" or "" for the better one that
    works, of tc "clsact" or "" for the better one, of an iterator over cgroups its order.
    ``cookie`` is what get_attach_cookie() gives there. Conflict where another program holds the
    place, Unsupported where the kernel lacks the hook.
    """
    if before and program.spec.kind.hook is not Hook.TCX:
        problem = "only tc and netkit programs stand in an order on their device"
        raise BadInput("before", problem, "XDP programs share one by @skep.xdp(order=...)")
    if not isinstance(before, Link | bool):
        problem = f"{before!r} is no place among the programs of a device"
        raise BadInput("before", problem, "give the link of a tc or netkit program (6.6), or True")
    place = Place(program.spec.target if target == "" else target, netns, before, mode, pid, cookie)
    return HOOKS[program.spec.kind.hook](program, place, program.door)
