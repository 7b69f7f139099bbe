"""Dropped packets: the program for a kernel, names of its reasons, and the counts of all drops.

Values and pure functions; who loads the program reads the ring ``drops`` and the map ``sites``.
"""

from collections.abc import Iterable, Sequence

from skep.base.errors import Unsupported
from skep.base.frozen import frozen
from skep.btf.reader import Btf
from skep.btf.types import Kind
from skep.flows.programs.drops import (
    Count,
    Site,
    drops,
    on_drop,
    on_drop_alone,
    sites,
    unlisted,
)
from skep.lang.programs import Program

__all__ = ["Reasons", "SiteTotal", "drops", "programs", "sites", "totals", "unlisted"]

_PREFIX = "SKB_DROP_REASON_"
_SUBSYSTEM = 16
_ENUMS = {
    "MAC80211_UNUSABLE": "mac80211_drop_reason",
    "MAC80211_MONITOR": "mac80211_drop_reason",
    "OPENVSWITCH": "ovs_drop_reason",
}
"""The enumeration of a subsystem's own reasons, where it is not in the kernel but in a module."""


def programs(btf: Btf) -> tuple[Program, ...]:
    """The program for the kernel of these types; Unsupported before Linux 5.17."""
    tracepoint = btf.find(Kind.TYPEDEF, "btf_trace_kfree_skb")
    arguments = len(btf.prototype(tracepoint).params) - 1 if tracepoint is not None else 0
    if arguments < 3:
        raise Unsupported("drops", "the kernel does not say why it drops a packet", since="5.17")
    return (on_drop if arguments > 3 else on_drop_alone,)


class Reasons:
    """Names of drop reasons: ``NO_SOCKET``, or a subsystem's own (Linux 6.4).

    ``modules`` are the types of modules, for reasons of subsystems that are built as such.
    """

    def __init__(self, btf: Btf, modules: Iterable[Btf] = ()) -> None:
        self._places = (btf, *modules)
        self._names = {
            number: name.removeprefix(_PREFIX)
            for number, name in btf.enum("skb_drop_reason").items()
        }
        subsystems = btf.enum("skb_drop_reason_subsys")
        self._subsystems = {
            number: name.removeprefix(f"{_PREFIX}SUBSYS_")
            for number, name in subsystems.items()
            if not name.endswith("_NUM")
        }

    def name(self, number: int) -> str | None:
        """The name of a reason, None where this kernel has no such reason."""
        subsystem = number >> _SUBSYSTEM
        if subsystem and number not in self._names:
            self._learn(subsystem, number)
        return self._names.get(number)

    def _learn(self, subsystem: int, number: int) -> None:
        """A subsystem's reasons; one that is not found has the subsystem's name and its number in it."""
        name = self._subsystems.get(subsystem)
        if name is None:
            return
        for place in self._places if name in _ENUMS else ():
            self._names |= place.enum(_ENUMS[name])
        self._names.setdefault(number, f"{name}_{number & (1 << _SUBSYSTEM) - 1}")


@frozen
class SiteTotal:
    """Drops of one reason at one place: all, and those that have an event (or a lost one)."""

    reason: int
    location: int
    total: int
    told: int


def totals(items: Iterable[tuple[Site, Sequence[Count]]]) -> list[SiteTotal]:
    """The items of a live map ``sites``, each over all CPUs: the counts since the map was made."""
    return [
        SiteTotal(
            site.reason,
            site.location,
            sum(count.total for count in counts),
            sum(count.told for count in counts),
        )
        for site, counts in items
    ]
