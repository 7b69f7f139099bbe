"""HTTP/1.1 as bytes and values: heads are parsed and written here, by server and client alike.

Nothing here reads a socket. What is malformed raises Malformed with the status that answers it. Left out on purpose:
bodies in chunks from a client, pipelining, ranges, compression, anything that a local API does not need.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from skep.base.errors import SkepError

END_OF_HEAD = b"\r\n\r\n"
LARGEST_HEAD, LARGEST_BODY, MOST_HEADERS = 16 * 1024, 64 * 1024, 64
LAST_CHUNK, LONGEST_SIZE = b"0\r\n\r\n", 18
TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
REASONS = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    411: "Length Required",
    413: "Content Too Large",
    414: "URI Too Long",
    426: "Upgrade Required",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}


class Malformed(SkepError):
    """A message that is not as HTTP/1.1 or this API has it: the status that answers it, and why."""

    def __init__(self, status: int, problem: str) -> None:
        self.status, self.problem = status, problem
        super().__init__(problem)


@dataclass(frozen=True, slots=True)
class Request:
    """A request: ``query`` keeps order and repetition; names of ``headers`` are in lower case."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    http10: bool = False

    @property
    def body_bytes(self) -> int:
        """Bytes of body that follow the head; raises Malformed where that cannot be known."""
        if "transfer-encoding" in self.headers:
            raise Malformed(411, "a body in chunks is not taken; send Content-Length")
        length = self.headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            raise Malformed(400, f"Content-Length {length[:20]!r} is not a number")
        if len(length) > 9 or int(length) > LARGEST_BODY:
            raise Malformed(413, f"a body has at most {LARGEST_BODY} bytes")
        return int(length)

    @property
    def keep_alive(self) -> bool:
        """Whether the connection serves another request after this one."""
        wish = self.headers.get("connection", "").lower()
        return wish == "keep-alive" if self.http10 else wish != "close"


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of an answer, as a client reads it."""

    status: int
    headers: Mapping[str, str]


class Chunks:
    """Reads a body in chunks: gives the content of whole chunks, as they become whole."""

    def __init__(self) -> None:
        self._buffer, self.ended = b"", False

    def feed(self, data: bytes) -> bytes:
        """The content that ``data`` completes; ``ended`` is set when the last chunk was seen. Raises Malformed."""
        buffer = self._buffer + data if self._buffer else data
        parts, at = [], 0
        while not self.ended:
            begin = buffer.find(b"\r\n", at, at + LONGEST_SIZE) + 2
            if begin < 2:
                break
            end = begin + _chunk_size(buffer[at : begin - 2])
            if len(buffer) < end + 2:
                break
            parts.append(buffer[begin:end])
            self.ended, at = begin == end, end + 2
        if len(buffer) - at > LONGEST_SIZE and buffer.find(b"\r\n", at, at + LONGEST_SIZE) < 0:
            raise Malformed(400, "the size of a chunk is missing")
        self._buffer = buffer[at:]
        return b"".join(parts)


def _chunk_size(text: bytes) -> int:
    try:
        return int(text, 16)
    except ValueError as error:
        raise Malformed(400, f"{text!r} is not the size of a chunk") from error


def parse_request(head: bytes) -> Request:
    """The request of ``head`` (without the blank line at its end)."""
    line, headers = _split(head)
    words = line.split(" ")
    if len(words) != 3:
        raise Malformed(400, "the first line is not 'METHOD TARGET HTTP/1.1'")
    method, target, version = words
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        raise Malformed(505 if version.startswith("HTTP/") else 400, "only HTTP/1.1 is spoken here")
    if not method or not set(method) <= TOKEN:
        raise Malformed(400, "the method is not a word")
    path, query = _target(target)
    return Request(method, path, query, headers, version == "HTTP/1.0")


def parse_answer(head: bytes) -> Answer:
    """The answer of ``head`` (without the blank line at its end)."""
    line, headers = _split(head)
    words = line.split(" ", 2)
    if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdigit():
        raise Malformed(500, "the answer is not HTTP/1.1")
    return Answer(int(words[1]), headers)


def write_request(method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """A whole request; Content-Length is added for a body."""
    fields = dict(headers) | ({"Content-Length": str(len(body))} if body else {})
    return f"{method} {target} HTTP/1.1\r\n{_fields(fields)}\r\n".encode() + body


def write_head(status: int, headers: Mapping[str, str]) -> bytes:
    """The head of an answer, with the blank line."""
    return f"HTTP/1.1 {status} {REASONS.get(status, '')}\r\n{_fields(headers)}\r\n".encode()


def chunk(data: bytes) -> bytes:
    """``data`` (not empty: that would end the body) as one chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _fields(headers: Mapping[str, str]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())


def _split(head: bytes) -> tuple[str, dict[str, str]]:
    lines = head.decode("latin-1").split("\r\n")
    if len(lines) - 1 > MOST_HEADERS:
        raise Malformed(431, f"a head has at most {MOST_HEADERS} fields")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not name or not set(name) <= TOKEN:
            raise Malformed(400, f"{line[:40]!r} is not a header field")
        if name.lower() == "content-length" and "content-length" in headers:
            raise Malformed(400, "Content-Length is there twice")
        headers[name.lower()] = value.strip()
    return lines[0], headers


def _target(target: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    if not target.startswith("/") or not target.isascii() or not target.isprintable():
        raise Malformed(400, "the target is not a path")
    try:
        parts = urlsplit(target if not target.startswith("//") else "/")
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        return unquote(parts.path, errors="strict"), tuple(query)
    except ValueError as error:
        raise Malformed(400, f"the target cannot be read: {error}") from error
