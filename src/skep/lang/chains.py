"""Programs that share one hook: each ends with a jump to the one behind it, where its verdict is to go on.

A chained program has a program array of its own, with one entry: its successor. So a chain is a list whose places are
written while packets run through it, and where a program stands in it is no part of its code. Nothing behind it: the
jump falls through, and the program ends with its verdict.
"""

from dataclasses import field

from skep.base.frozen import distinct
from skep.lang.declared.nested import ProgArray

XDP_PASS = 2


@distinct
class Chain:
    """How a program goes on: at verdict ``go_on`` (None: at any) to the program in ``next``, by a tail call."""

    go_on: int | None = None
    next: ProgArray = field(default_factory=lambda: ProgArray(1, name="next"))
