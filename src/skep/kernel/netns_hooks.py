"""How a network namespace takes programs: socket lookup, flow dissection, netfilter. Each is a link."""

from skep.kernel import commands
from skep.kernel.bpf import Door, packed
from skep.kernel.link import Link
from skep.kernel.namespaces import inside, opened
from skep.kernel.place import Place, name_of
from skep.kernel.programs import Program
from skep.kernel.refusal import NETWORK, refused

OURS = "/proc/thread-self/ns/net"


def netns(program: Program, place: Place, door: Door) -> Link:
    """On the namespace of a file, "" is ours."""
    path = place.netns or str(place.target) or OURS
    name = name_of(program, place)
    refusing = refused("BPF_LINK_CREATE", name, needs=NETWORK, exclusive=True, door=door)
    with opened(path) as namespace, refusing:
        kind = program.spec.kind.attach_type
        fd = commands.link_create(door, program.fd, namespace, kind)
    return Link((fd,), name, door=door)


def netfilter(program: Program, place: Place, door: Door) -> Link:
    """At the hook of netfilter that the program names, in a namespace."""
    options = dict(program.spec.options)
    family, hook, priority = (int(options[key]) for key in ("family", "hook", "priority"))
    extra = bytes(packed("IIiI", family, hook, priority, int(options["defragment"])))
    name = name_of(program, place)

    def work() -> Link:
        with refused("BPF_LINK_CREATE", name, needs=NETWORK, exclusive=True, door=door):
            kind = program.spec.kind.attach_type
            return Link(
                (commands.link_create(door, program.fd, 0, kind, extra=extra),), name, door=door
            )

    return inside(place.netns, work, door=door)
