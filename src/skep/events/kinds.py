"""The table of event kinds: a name, as JSON shows it, and the number in a record's header.

Numbers below 1024 are ours and never change their meaning: a class has one of them only by giving its row here. Any
other class, be it called as one of ours, gets a number of its own, derived from its name, so that the same class has
the same number in every process and release.
"""

from zlib import crc32

from skep.base.frozen import frozen

FIRST_OF_USERS = 1024
_END = 1 << 16


@frozen
class Kind:
    """A row: what JSON calls it, and its number."""

    name: str
    number: int


EXEC = Kind("exec", 1)
FORK = Kind("fork", 2)
EXIT = Kind("exit", 3)
OOM = Kind("oom", 4)
CONNECT = Kind("connect", 5)
ACCEPT = Kind("accept", 6)
CLOSE = Kind("close", 7)
DROP = Kind("drop", 8)
TEXT = Kind("text", 9)
"""A piece of a long value of another event: never told by itself."""


def of_user(name: str) -> Kind:
    """A kind that is not ours: its number, 1024 to 65535, is made of the name alone."""
    return Kind(name, FIRST_OF_USERS + crc32(name.encode()) % (_END - FIRST_OF_USERS))


def kind_name(class_name: str) -> str:
    """The kind that a class is named after: ``DiskWrite`` -> ``disk_write``."""
    parts: list[str] = []
    for before, letter in zip(" " + class_name, class_name, strict=False):
        if letter.isupper() and (before.islower() or before.isdigit()):
            parts.append("_")
        parts.append(letter.lower())
    return "".join(parts)
