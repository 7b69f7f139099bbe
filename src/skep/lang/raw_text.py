r"""Text of ``char[N]`` in Python: a str, also where the bytes are no UTF-8, and the same bytes when it is written back.

A byte that is not UTF-8 reads ``\xNN``, as in JSON and Arrow: such text can be printed anywhere, whatever a process has
called itself. Values only; nothing here knows of a layout.
"""

from typing import Self


class RawText(str):
    """Text that does not say all of its bytes, which ``raw`` has: some are no UTF-8, or stand behind the first NUL."""

    __slots__ = ("raw",)
    raw: bytes

    def __new__(cls, raw: bytes) -> Self:
        """The text of these bytes."""
        made = super().__new__(cls, raw.partition(b"\0")[0].decode("utf-8", "backslashreplace"))
        made.raw = raw
        return made

    def __reduce__(self) -> tuple[type[Self], tuple[bytes]]:
        return type(self), (self.raw,)


def text_of(data: bytes) -> str:
    """The text in the bytes of a ``char[N]``."""
    whole = data.rstrip(b"\0")
    try:
        return RawText(whole) if 0 in whole else whole.decode()
    except UnicodeDecodeError:
        return RawText(whole)


def stored(text: str, room: int) -> bytes:
    """The bytes that a text came from; where there is no room for all, those that it reads by."""
    if not isinstance(text, RawText):
        return text.encode()
    return text.raw if len(text.raw) <= room else read(text)


def read(text: str) -> bytes:
    """The bytes that a text reads by: up to the first NUL."""
    return text.raw.partition(b"\0")[0] if isinstance(text, RawText) else text.encode()
