"""JSON strings of what the kernel gives: bytes in no known encoding. Pure."""

import json


def readable(raw: bytes) -> str:
    r"""``raw`` as text; a byte that is not UTF-8 reads ``\xNN``."""
    return raw.decode("utf-8", "backslashreplace")


def json_text(raw: bytes) -> bytes:
    """A JSON string (UTF-8, quoted) of ``raw`` up to its first NUL."""
    return json.dumps(readable(raw.partition(b"\0")[0]), ensure_ascii=False).encode()
