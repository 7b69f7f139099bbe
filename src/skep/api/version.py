"""The release of skep, and which releases understand each other across the local API."""

import re

from skep import __version__

VERSION = __version__
HEADER = "Skep-Version"
_RELEASE = r"(\d{1,6})\.(\d{1,6})(?:\.|$)"


def compatible(mine: str, theirs: str) -> bool:
    """Whether an agent and a face of these releases understand each other: at most one minor release apart."""
    ours, others = re.match(_RELEASE, mine, re.ASCII), re.match(_RELEASE, theirs, re.ASCII)
    if ours is None or others is None:
        return False
    return ours[1] == others[1] and abs(int(ours[2]) - int(others[2])) <= 1
