"""Python's cycle collector in a process that makes many objects and hardly a cycle.

By default it looks through the young objects at each 700 that are made, and through all of them ever again: of 16,000
processes that are kept, that took a fifth of the drain's CPU. Reference counts free what has no cycle, at once.
"""

import gc

YOUNG, OLDER, OLDEST = 100_000, 10, 10


def collect_rarely() -> None:
    """Collect at each 100,000 objects more; what is there now (modules, tables) is never looked at again."""
    gc.freeze()
    gc.set_threshold(YOUNG, OLDER, OLDEST)
