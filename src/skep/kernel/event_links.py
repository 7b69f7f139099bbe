"""Links of programs to events of perf: of a tracepoint, a clock, a probe. A link keeps its event alive."""

from collections.abc import Iterable
from contextlib import ExitStack

from skep.kernel import commands, perf
from skep.kernel.bpf import Door, packed
from skep.kernel.link import Link
from skep.kernel.place import Place, name_of
from skep.kernel.programs import Program
from skep.kernel.refusal import TRACING, refused

PERF_EVENT = 41
"""Of ``enum bpf_attach_type``."""


def on_event(program: Program, place: Place, event: int, door: Door) -> int:
    """The descriptor of a link to an event, whose own descriptor is closed."""
    try:
        with refused("BPF_LINK_CREATE", name_of(program, place), needs=TRACING, door=door):
            extra = bytes(packed("Q", place.cookie)) if place.cookie else b""
            fd = commands.link_create(door, program.fd, event, PERF_EVENT, extra=extra)
            perf.enable(door, event)
            return fd
    finally:
        door.close(event)


def together(
    descriptors: Iterable[int], name: str, door: Door, remarks: tuple[str, ...] = ()
) -> Link:
    """Links as one; where one of them cannot be made, those before it are closed."""
    held = []
    with ExitStack() as stack:
        for fd in descriptors:
            stack.callback(door.close, fd)
            held.append(fd)
        stack.pop_all()
    return Link(tuple(held), name, remarks=remarks, door=door)
