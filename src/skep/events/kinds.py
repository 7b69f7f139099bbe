"""The table of event kinds: a name, as JSON shows it, and the number in a record's header.

Numbers below 1024 are ours and never change their meaning. A kind that is not in the table gets a
number of its own, derived from its name, so that the same class has the same number in every
process and release.
"""

from zlib import crc32

KINDS: dict[str, int] = {
    "exec": 1,
    "fork": 2,
    "exit": 3,
    "oom": 4,
    "connect": 5,
    "accept": 6,
    "close": 7,
    "drop": 8,
    "text": 9,
    "flow": 10,
    "alert": 11,
}

FIRST_OF_USERS = 1024
_END = 1 << 16


def number(name: str) -> int:
    """The number of kind ``name``: the table's, or one of 1024 to 65535 made of the name alone."""
    own = KINDS.get(name)
    return (
        own if own is not None else FIRST_OF_USERS + crc32(name.encode()) % (_END - FIRST_OF_USERS)
    )


def kind_name(class_name: str) -> str:
    """The kind that a class is named after: ``DiskWrite`` -> ``disk_write``."""
    parts: list[str] = []
    for before, letter in zip(" " + class_name, class_name, strict=False):
        if letter.isupper() and (before.islower() or before.isdigit()):
            parts.append("_")
        parts.append(letter.lower())
    return "".join(parts)
