"""How often what was measured fell into which slot: counts of a map, printed as bars. Values only."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, Self

from skep.base.frozen import frozen
from skep.lang.struct import Struct

WIDTH = 50
"""Characters of the longest bar."""


class Counts(Protocol):
    """A live map, as far as it matters here."""

    def items(self) -> Iterable[tuple[Any, Any]]:
        """Keys, and counts (of a per-CPU map a list of them)."""


@frozen
class Histogram:
    """``print(skep.Histogram.of(live[waits], "us"))``: the bars of a map's counts.

    ``counts[i]`` belongs to slot ``i``. A program that counts by ``skep.log2(value)`` has slots that end below 2, 4, 8,
    16. Where ``step`` is given, slots are of that width: for one that counts by ``value // step``. ``unit`` is that of
    the values.
    """

    counts: tuple[int, ...]
    unit: str = ""
    step: int = 0

    @classmethod
    def of(cls, live: Counts, unit: str = "", step: int = 0) -> Self:
        """The histogram in a live map whose keys are slots: an Array, a Hash, or one with counts of each CPU."""
        return cls(_dense(live.items()), unit, step)

    @classmethod
    def by_key(cls, live: Counts, unit: str = "", step: int = 0) -> dict[Any, Self]:
        """A histogram for each key of a live map whose keys are Structs with the slot as their last field.

        A key is the other field, or a tuple of them where there are several.
        """
        found: dict[Any, list[tuple[int, Any]]] = {}
        for key, count in live.items():
            *rest, slot = _values(key)
            found.setdefault(rest[0] if len(rest) == 1 else tuple(rest), []).append((slot, count))
        return {key: cls(_dense(entries), unit, step) for key, entries in found.items()}

    @property
    def total(self) -> int:
        """How many there are in all."""
        return sum(self.counts)

    def below(self, slot: int) -> int:
        """The number that the values of a slot are below."""
        return (slot + 1) * self.step if self.step else 2 << slot

    def _label(self, slot: int) -> str:
        end = f"{slot}" if self.step == 1 else f"< {self.below(slot)}"
        return f"{end} {self.unit}".rstrip()

    def __str__(self) -> str:
        """A line for each slot from the first that is used to the last: its end, its count, and a bar.

        The end is the number that its values are below; where a slot is one value, that.
        """
        used = [slot for slot, count in enumerate(self.counts) if count]
        if not used:
            return "nothing was counted"
        slots, most = range(used[0], used[-1] + 1), max(self.counts)
        labels = [self._label(slot) for slot in slots]
        width = max(map(len, labels))
        return "\n".join(
            f"{label:>{width}} {count:{len(str(most))}} {'#' * (WIDTH * count // most)}".rstrip()
            for label, count in zip(labels, self.counts[slots.start :], strict=False)
        )


def _dense(entries: Iterable[tuple[int, Any]]) -> tuple[int, ...]:
    """Counts by slot, those of all CPUs together."""
    found = {slot: sum(count) if isinstance(count, Sequence) else count for slot, count in entries}
    return tuple(found.get(slot, 0) for slot in range(max(found, default=-1) + 1))


def _values(key: Struct) -> list[Any]:
    return [value for _, value in key]
