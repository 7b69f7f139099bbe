"""HTTP/1.1 as this API has it. h11 reads and writes it and knows no sockets; here are requests as values, and limits.

What is malformed raises Malformed with the status that answers it.
"""

from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

import h11

from skep.base.errors import SkepError
from skep.base.frozen import frozen

LARGEST_HEAD, LARGEST_BODY = 16 * 1024, 64 * 1024
HEAD_TOO_LARGE, CONTENT_TOO_LARGE = 431, 413


class Malformed(SkepError):
    """A message that is not as HTTP/1.1 or this API has it: the status that answers it, and why."""

    def __init__(self, status: int, problem: str) -> None:
        self.status, self.problem = status, problem
        super().__init__(problem)


@frozen
class Request:
    """A request: ``query`` keeps order and repetition; names of ``headers`` are in lower case."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]


def malformed(error: h11.RemoteProtocolError) -> Malformed:
    """An error of h11 as one of the API."""
    if error.error_status_hint == HEAD_TOO_LARGE:
        return Malformed(HEAD_TOO_LARGE, f"a head has at most {LARGEST_HEAD} bytes")
    return Malformed(error.error_status_hint, f"this is no HTTP/1.1: {error}")


def request(event: h11.Request) -> Request:
    """A request as a value. Raises Malformed where its target is no path."""
    path, query = _target(event.target.decode("ascii"))
    headers = {name.decode("ascii"): value.decode("latin-1") for name, value in event.headers}
    return Request(event.method.decode("ascii"), path, query, headers)


def _target(target: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    if not target.startswith("/"):
        raise Malformed(400, "the target is not a path")
    try:
        parts = urlsplit(target if not target.startswith("//") else "/")
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        return unquote(parts.path, errors="strict"), tuple(query)
    except ValueError as error:
        raise Malformed(400, f"the target cannot be read: {error}") from error
