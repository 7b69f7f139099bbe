"""What a map holds before a run, written into it: into a live one as into a fake, for both are used alike."""

from collections.abc import Iterable, Mapping
from typing import Any

from skep.lang.declared.queues import Bloom, Queue
from skep.lang.declared.streams import PerfBuffer, UserRing
from skep.lang.maps import Declaration, Ring
from skep.lang.struct import Struct

Content = Mapping[Any, Any] | Struct | Iterable[Any]
"""The entries of a table, the value of a Global or of key 0, the values of what has no keys."""


def fill(face: Any, declared: Declaration, content: Content) -> None:
    """Put ``content`` into ``face``, the map of a declaration. TypeError where it is of another form."""
    name = type(declared).__name__
    if isinstance(declared, Ring | PerfBuffer):
        raise TypeError(f"a {name} holds nothing before a program has run")
    if isinstance(declared, Queue | Bloom | UserRing):
        if isinstance(content, Mapping | Struct | str):
            raise TypeError(f"a {name} is filled by a list of its values, not by {content!r}")
        for value in content:
            face.add(value) if isinstance(declared, Bloom) else face.push(value)
        return
    entries = {0: content} if isinstance(content, Struct) else content
    if not isinstance(entries, Mapping):
        raise TypeError(f"a {name} is filled by a dict of its entries, not by {content!r}")
    for key, value in entries.items():
        face[key] = value
