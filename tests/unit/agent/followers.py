"""Followers of a journal, for tests."""

from collections.abc import Callable

from skep.api.query import Position


def taking(got: list[bytes], most: int = 1 << 30) -> Callable[[bytes], bool]:
    """A follower's ``send`` that takes so many pieces."""

    def send(piece: bytes) -> bool:
        if len(got) >= most:
            return False
        got.append(piece)
        return True

    return send


def unexpected(position: Position) -> None:
    raise AssertionError(position)
