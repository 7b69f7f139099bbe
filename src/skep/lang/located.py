"""Fields of a tracepoint's record that say where their content is: text or bytes behind the record's other fields.

In the record such a field is a ``u32``, the length in its upper half and the offset in its lower. Programs see the
pointer that it stands for.
"""

from functools import cache
from typing import ClassVar

from skep.lang.types import IntType, char, u8, u32

ELEMENTS: dict[str, IntType] = {"char": char, "unsigned char": u8, "u8": u8, "__u8": u8}
"""The types of C whose arrays have elements in a program; of others it has the address."""


class Located(u32):
    """What these fields have in common: what lies there, and whether the offset counts from the field's own end."""

    element: ClassVar[IntType | None] = None
    relative: ClassVar[bool] = False


@cache
def located(kind: str) -> IntType:
    """The type of a field that C's ``kind`` declares, as ``__data_loc char[]``."""
    way, _, content = kind.partition(" ")
    element = ELEMENTS.get(content.removesuffix("[]").strip())
    members = {"element": element, "relative": way == "__rel_loc"}
    return IntType(f"{way} {element!r}", (Located,), members)
