"""Patterns in a loaded ``match_path``: fills its tables, gives it paths, reads its masks."""

from collections.abc import Sequence

import numpy as np

from examples.large.matcher.automaton import automaton
from examples.large.matcher.patterns import Pattern
from examples.large.matcher.program import PATH, answer, asked, match_path, tables
from examples.large.matcher.tables import Layout, laid_out
from skep.base.errors import BadInput
from skep.kernel.commands import Run
from skep.program.live import Live

PACKET = bytes(14)


class Matcher:
    """``Matcher(live, patterns).match(path)``: the mask of the patterns that match; pattern 0 is bit 0.

    ``live`` holds the program, and outlives this. One path is matched at a time.
    """

    def __init__(self, live: Live, patterns: Sequence[Pattern]) -> None:
        self._live = live
        self.fill(laid_out(automaton(patterns)))

    def fill(self, layout: Layout) -> None:
        """Put tables in the place of those that are there."""
        held = self._live[tables]
        np.asarray(held.columns)[:] = layout.columns
        np.asarray(held.cells)[: len(layout.cells)] = layout.cells
        masks = np.asarray(held.masks)["words"]
        masks[: len(layout.masks)] = layout.masks

    def ask(self, path: bytes) -> None:
        """Put a path in place. BadInput for one of more than 4,096 bytes."""
        if len(path) > PATH:
            raise BadInput("path", f"it has {len(path):,} bytes", f"{PATH:,} are the most")
        held = self._live[asked]
        np.asarray(held.bytes)[: len(path)] = np.frombuffer(path, np.uint8)
        held.length = len(path)

    def run(self, repeat: int = 1) -> Run:
        """Run the program on the path that is in place."""
        return self._live.programs[match_path.name].test_run(PACKET, repeat=repeat)

    def match(self, path: bytes) -> int:
        """The patterns that match ``path``, as a mask."""
        self.ask(path)
        self.run()
        words = np.asarray(self._live[answer].words)
        return int.from_bytes(words.tobytes(), "little")
