"""Dropped packets by place and reason: all of them, also those of a flood that have no event. Counted in the kernel.

It reads the counts when it is asked, and names what they are about.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from skep.base.frozen import frozen
from skep.flows.drops import SiteTotal
from skep.kernel.symbols import Symbols


@frozen
class DropSite:
    """Drops of one reason at one place: all, and those that have an event or a lost one."""

    reason: str
    location: str
    total: int
    told: int


class Reasons(Protocol):
    """Names of drop reasons: `flows.drops.Reasons`."""

    def name(self, number: int) -> str | None:
        """The name, None where there is none."""


class DropNames:
    """Names of reasons and of places in the kernel, for events and counts alike."""

    def __init__(self, reasons: Reasons, symbols: Symbols) -> None:
        self._reasons, self.symbols = reasons, symbols

    def reason(self, number: int) -> str:
        """The name, the number where this kernel has none."""
        return self._reasons.name(number) or str(number)

    def sites(self, read: Callable[[], Sequence[SiteTotal]]) -> list[DropSite]:
        """The counts that ``read`` gives, the largest first."""
        found = sorted(read(), key=lambda site: -site.total)
        places = self.symbols.callers(site.location for site in found)
        return [
            DropSite(self.reason(s.reason), place, s.total, s.told)
            for s, place in zip(found, places, strict=True)
        ]
