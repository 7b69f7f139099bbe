"""A tc program where the kernel has no tcx (before 6.6): a filter of the device's clsact qdisc.

It looks like a link, but the kernel knows no owner: after a kill -9 the filter stays, under a name
that begins with ``skep/``, until ``remove_filters`` takes it away. The qdisc goes with the last filter,
if it was made for ours.
"""

import errno
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import NamedTuple, Protocol, Self

from skep.base.errors import Conflict, SkepError, Unsupported
from skep.kernel.bpf import DOOR, Door
from skep.kernel.namespaces import inside
from skep.kernel.netlink import EGRESS, INGRESS, Filter, Netlink
from skep.kernel.programs import Program
from skep.kernel.refusal import NETWORK, refused

PREFIX = "skep/"
PARENTS = {46: INGRESS, 47: EGRESS}  # by tcx attach type
_FIRST_PRIORITY = 0x4000  # room before and behind
_PRIORITIES = range(1, 1 << 16)  # to the kernel 0 is any: it would take all filters away


class Spot(NamedTuple):
    """A device's ingress (attach type 46) or egress (47), in a namespace; ``first``: before others."""

    ifindex: int
    attach_type: int
    netns: str
    first: bool = False

    @property
    def parent(self) -> int:
        """The hook of the qdisc."""
        return PARENTS[self.attach_type]


class ClsactLink:
    """A program in a clsact filter; closing takes the filter away."""

    fd = -1

    def __init__(
        self, spot: Spot, priority: int, name: str, *, made: bool, asked: bool, door: Door
    ) -> None:
        self.name, self._spot, self._priority = name, spot, priority
        self._made, self._open, self._door = made, True, door
        why = f"{name} uses a clsact filter: this kernel has no tcx (since 6.6)"
        self.remarks: tuple[str, ...] = () if asked else (why,)

    @classmethod
    def create(
        cls, program: Program, spot: Spot, name: str, *, asked: bool = False, door: Door = DOOR
    ) -> Self:
        """Sets the filter, and the qdisc where there is none; in the calling thread's namespace.

        ``asked`` for, it is no fallback, and nothing is remarked. Conflict where no priority is free in that place.
        """
        refusing = refused("a clsact filter", name, needs=NETWORK, exclusive=True, door=door)
        with refusing, Netlink() as netlink, ExitStack() as undo:
            made = _ensure_clsact(netlink, spot.ifindex)
            if made:
                undo.callback(_drop_clsact, netlink, spot.ifindex)
            priority = _priority(netlink.filters(spot.ifindex, spot.parent), first=spot.first)
            title = f"{PREFIX}{program.spec.name}"
            netlink.add_filter(spot.ifindex, spot.parent, priority, program.fd, title)
            undo.pop_all()
        return cls(spot, priority, name, made=made, asked=asked, door=door)

    def update(self, program: Program) -> None:
        """A clsact filter is not replaced atomically, so it is not replaced."""
        instead = "closing it, then attaching the other program"
        what = f"replacing {self.name} in place by {program.spec.name}"
        raise Unsupported(what, "it is no tcx link", "6.6", instead)

    def pin(self, path: str) -> None:
        """A filter has no pin: it outlives its process anyway."""
        instead = "a process that holds it"
        raise Unsupported(f"the pin {path} of {self.name}", "it is no tcx link", "6.6", instead)

    def close(self) -> None:
        """Takes the filter away; a device or namespace that is gone took it along."""
        if not self._open:
            return
        self._open = False
        with suppress(SkepError, OSError):
            inside(self._spot.netns, self._remove, door=self._door)

    def _remove(self) -> None:
        index = self._spot.ifindex
        with Netlink() as netlink:
            netlink.delete_filter(index, self._spot.parent, self._priority)
            if self._made:
                _drop_clsact(netlink, index)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<ClsactLink {self.name}>"


def remove_filters(ours: Callable[[Filter], bool]) -> int:
    """Takes the filters of skep for which ``ours`` is true away, on all devices of this namespace."""
    count = 0
    with Netlink() as netlink:
        for device in netlink.devices():
            if "clsact" not in netlink.qdiscs(device.ifindex):
                continue
            for parent in (INGRESS, EGRESS):
                for one in netlink.filters(device.ifindex, parent):
                    if one.name.startswith(PREFIX) and ours(one):
                        netlink.delete_filter(device.ifindex, parent, one.priority)
                        count += 1
    return count


def _ensure_clsact(netlink: Netlink, index: int) -> bool:
    """Whether the qdisc had to be made."""
    try:
        netlink.add_clsact(index)
    except OSError as error:
        if error.errno == errno.EEXIST:
            return False
        raise
    return True


class Qdisc(Protocol):
    """Netlink, as far as the end of a qdisc asks it."""

    def filters(self, index: int, parent: int, /) -> list[Filter]:
        """The filters on INGRESS or EGRESS."""
        ...

    def delete_clsact(self, index: int, /) -> None:
        """Takes the qdisc away."""
        ...


def _drop_clsact(netlink: Qdisc, index: int) -> None:
    """Takes the qdisc away, unless somebody has a filter in it."""
    if not netlink.filters(index, INGRESS) and not netlink.filters(index, EGRESS):
        netlink.delete_clsact(index)


def _priority(filters: list[Filter], *, first: bool) -> int:
    """A priority before or behind all others. Conflict where there is none."""
    taken = [one.priority for one in filters]
    if not taken:
        return _FIRST_PRIORITY
    chosen = min(taken) - 1 if first else max(taken) + 1
    if chosen not in _PRIORITIES:
        end = "first" if first else "last"
        holder = f"a filter of the {end} priority that there is"
        raise Conflict(f"the {end} place of the device", holder, "`tc filter show` lists them")
    return chosen
