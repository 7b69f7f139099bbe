"""Attaching: a program to its hook, as a link that detaches when it is closed.

What was fallen back to stands in the link's ``remarks``, for a face to say aloud.
"""

from skep.kernel.hooks import HOOKS, AnyLink, Place
from skep.kernel.link import Link
from skep.kernel.programs import Program

__all__ = ["AnyLink", "Link", "attach"]


def attach(
    program: Program,
    target: str | int = "",
    *,
    netns: str = "",
    before: Link | bool = False,
    mode: str = "",
    pid: int = -1,
    parameters: bytes = b"",
) -> AnyLink:
    """Attaches ``program``; closing the link detaches it.

    ``target`` is what the spec names, unless given: a tracepoint; for XDP and tcx a device (name or
    index) in the namespace of file ``netns`` ("" is ours); for a cgroup program the directory of a
    cgroup. A perf event program samples on all CPUs, or only the process ``pid``. ``before`` is the
    tcx link to run before, or True for the first place. ``mode`` of XDP is "native", "generic" or ""
    for the better one that works. ``parameters`` is an iterator's union bpf_iter_link_info.
    Conflict where another program holds the place, Unsupported where the kernel lacks the hook.
    """
    place = Place(target or program.spec.target, netns, before, mode, pid, parameters)
    return HOOKS[program.spec.kind.hook](program, place, program.door)
