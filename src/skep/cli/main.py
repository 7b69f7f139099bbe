"""``skep``: the command line. `main` is the entry, of the console script and of ``python -m skep.cli``.

Ctrl-C ends it without a word from here on, also while the rest is imported: an import that is interrupted would show
its own lines. So nothing that takes time is imported here; `outcome` is, when it runs.
"""

import importlib
import os
import signal
import sys

from skep.cli import standard

INTERRUPTED = 130
"""As in `exits`, which is imported later."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line ``arguments`` (by default this process's) and exit."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # who has it ignored goes on doing so
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    standard.prepare()
    outcome = importlib.import_module("skep.cli.outcome").outcome
    signal.signal(signal.SIGINT, before)
    sys.exit(outcome(arguments))
