"""Exit codes of the command line and of the agent: which error has which. They are part of what scripts rely on.

0 done; 1 it failed; 2 wrong usage, file or setting; 3 no agent answers; 4 a privilege is missing;
5 this kernel does not offer it; 130 interrupted; 141 nobody reads the output any more.
"""

from skep.base.errors import BadInput, Forbidden, Refused, SkepError, Unreachable, Unsupported

DONE, FAILED, USAGE, NO_AGENT, NO_PRIVILEGE, UNSUPPORTED = range(6)
INTERRUPTED, OUTPUT_CLOSED = 130, 141

CODES: tuple[tuple[type[SkepError], int], ...] = (
    (BadInput, USAGE),
    (Unreachable, NO_AGENT),
    (Forbidden, NO_PRIVILEGE),
    (Unsupported, UNSUPPORTED),
)
STATUSES = {400: USAGE, 403: NO_PRIVILEGE, 501: UNSUPPORTED}
"""What an agent that refuses means by its status."""
NAMED = {kind.__name__: code for kind, code in CODES}

HELP = """\
Exit codes: 0 done, 1 failed, 2 wrong usage, file or setting, 3 no agent answers,
4 a privilege is missing, 5 this kernel does not offer it, 130 interrupted,
141 nobody reads the output any more.
"""


def code(error: SkepError) -> int:
    """The exit code of ``error``; of what the agent refused, as if it had been found here."""
    if isinstance(error, Refused):
        return STATUSES.get(error.status, FAILED)
    return next((number for kind, number in CODES if isinstance(error, kind)), FAILED)
