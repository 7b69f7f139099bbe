"""Patterns of paths: prefixes, suffixes, parts and globs, as chains of steps over bytes.

Values only. A step takes one byte of a set, or is a ``STAR``, which takes any number of bytes. Paths are bytes, as the
kernel has them: ``?`` takes one byte, not one character, and ``*`` also takes slashes, as in ``fnmatch``.
"""

import fnmatch
import re
from collections.abc import Iterator
from dataclasses import dataclass

STAR = -1
ANY = (1 << 256) - 1


@dataclass(frozen=True, slots=True)
class Pattern:
    """``steps``: each a set of bytes, as an integer with a bit for each, or ``STAR``; ``text`` is for people."""

    text: str
    steps: tuple[int, ...]

    @property
    def sticks(self) -> bool:
        """Whether it has matched for good once its last byte was seen, whatever follows."""
        return self.steps[-1:] == (STAR,)


def prefix(text: str | bytes) -> Pattern:
    """Paths that begin with ``text``."""
    return Pattern(f"prefix {_shown(text)}", (*_literally(text), STAR))


def suffix(text: str | bytes) -> Pattern:
    """Paths that end with ``text``."""
    return Pattern(f"suffix {_shown(text)}", (STAR, *_literally(text)))


def contains(text: str | bytes) -> Pattern:
    """Paths with ``text`` somewhere in them."""
    return Pattern(f"contains {_shown(text)}", (STAR, *_literally(text), STAR))


def glob(text: str | bytes) -> Pattern:
    """Whole paths, with ``*``, ``?`` and ``[...]`` as ``fnmatch.fnmatchcase`` takes them."""
    return Pattern(f"glob {_shown(text)}", tuple(_folded(_globbed(_raw(text)))))


def _raw(text: str | bytes) -> bytes:
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text


def _shown(text: str | bytes) -> str:
    return _raw(text).decode("utf-8", "backslashreplace")


def _literally(text: str | bytes) -> Iterator[int]:
    return (1 << byte for byte in _raw(text))


def _globbed(text: bytes) -> Iterator[int]:
    at = 0
    while at < len(text):
        one = text[at : at + 1]
        end = _bracket_end(text, at) if one == b"[" else 0
        if end:
            yield _bracket(text[at:end])
        else:
            yield {b"*": STAR, b"?": ANY}.get(one, 1 << one[0])
        at = end or at + 1


def _bracket_end(text: bytes, start: int) -> int:
    """Where the bracket ends that begins at ``start``; 0 where it does not end, and so is a character."""
    first = start + 1 + (text[start + 1 : start + 2] == b"!")
    return text.find(b"]", first + 1) + 1


def _bracket(text: bytes) -> int:
    """The bytes that ``[...]`` takes: those that fnmatch says it does."""
    takes = re.compile(fnmatch.translate(text.decode("latin-1"))).match
    return sum(1 << byte for byte in range(256) if takes(chr(byte)))


def _folded(steps: Iterator[int]) -> Iterator[int]:
    """The same without a star behind a star."""
    last = None
    for step in steps:
        if not step == last == STAR:
            yield step
        last = step
