"""What a client asks of the events: which, from when, and whether to go on.

A query is a value, made from the parameters of ``/v1/events`` or refused with the parameter's name. It filters
nothing by itself.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

from skep.base.clock import SECOND
from skep.base.config import EVENT_KINDS
from skep.base.errors import BadInput
from skep.base.frozen import frozen
from skep.base.similar import similar
from skep.base.units import parse_duration

MOST = 1_000_000
LONGEST = 15 << 10
"""Bytes of a query as it is written: a request's head has 16 KB, of which its fields take some."""


class Position(NamedTuple):
    """Where a stream of events goes on: at a pulse, after ``skip`` of its lines; ``before`` it were so many events."""

    serial: int
    skip: int
    before: int


LARGEST_PID, LARGEST_PORT = 1 << 22, (1 << 16) - 1
LATEST = (1 << 63) - 1
MAPPED = 96
"""Bits of an IPv6 address before the IPv4 address in it."""
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


@frozen
class Query:
    """A choice of events. An empty filter lets all pass; values of one filter are alternatives.

    ``last``, ``since`` and ``until`` (wall ns) choose among the stored events; with ``follow`` those to come are sent
    as well, and without any of the three only those. A pod is ``name`` or ``namespace/name``, a container a name or the
    beginning of its id; their names and a comm may be patterns with ``*``. ``addresses`` (networks, as ``ipaddress``
    writes them) and ``ports`` are those of either end.
    """

    kinds: frozenset[str] = frozenset()
    pids: frozenset[int] = frozenset()
    comms: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()
    pods: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    ports: frozenset[int] = frozenset()
    follow: bool = False
    last: int | None = None
    since: int | None = None
    until: int | None = None

    @property
    def of_process(self) -> bool:
        """Whether more than the columns of an event decide: who did it."""
        return bool(self.comms or self.containers or self.pods or self.users)

    @property
    def stored(self) -> bool:
        """Whether events that are over are asked for."""
        return not self.follow or self.last is not None or self.since is not None


def parse(parameters: Iterable[tuple[str, str]], now: int) -> Query:
    """The query of ``parameters``; ``now`` (wall ns) is what a duration in ``since`` counts from. Raises BadInput."""
    given: dict[str, Any] = {}
    for name, text in parameters:
        row = _PARAMETERS.get(name)
        if row is None:
            raise BadInput(name, "there is no such parameter", f"take {', '.join(_PARAMETERS)}")
        field, read, repeats = row
        value = read(name, text, now)
        if field in given and not repeats:
            raise BadInput(name, "is there twice")
        given[field] = given[field] + value if field in given else value
    for field in ("kinds", "pids", "ports"):
        given[field] = frozenset(given.get(field, ()))
    query = Query(**given)
    if query.until is not None and query.follow:
        raise BadInput("until", "it is of stored events", "leave follow out")
    if query.until is not None and query.until < (query.since or 0):
        raise BadInput("until", "it is before since")
    return query


def write(query: Query) -> str:
    """The parameters of ``query``, percent-encoded: what ``parse`` reads. BadInput where a request cannot hold them."""
    pairs = [("kind", kind) for kind in sorted(query.kinds)]
    pairs += _joined("pid", query.pids)
    pairs += [("comm", comm) for comm in query.comms]
    pairs += [("container", container) for container in query.containers]
    pairs += [("pod", pod) for pod in query.pods]
    pairs += [("user", user) for user in query.users]
    pairs += [("address", address) for address in query.addresses]
    pairs += _joined("port", query.ports)
    pairs += [("follow", "1")] if query.follow else []
    pairs += [("last", str(query.last))] if query.last is not None else []
    pairs += [("since", f"@{query.since}")] if query.since is not None else []
    pairs += [("until", f"@{query.until}")] if query.until is not None else []
    written = urlencode(pairs, safe=",")
    if len(written) > LONGEST:
        problem = f"they take {len(written)} bytes of a request, {LONGEST} are the most"
        raise BadInput("filters", problem, "give fewer at a time")
    return written


def _joined(name: str, numbers: Iterable[int]) -> list[tuple[str, str]]:
    text = ",".join(map(str, sorted(numbers)))
    return [(name, text)] if text else []


def parse_since(text: str, now: int, place: str = "since") -> int:
    """Wall ns of an RFC 3339 time, of ``@NANOSECONDS`` since 1970, or of a duration before ``now``.

    What is too early or too late for a number of the kernel's is the first or last that is not.
    """
    return min(max(0, _parsed_since(text, now, place)), LATEST)


def _parsed_since(text: str, now: int, place: str) -> int:
    if text.startswith("@") and text[1:].isascii() and text[1:].isdigit() and len(text) < 21:
        return int(text[1:])
    match = _TIME.fullmatch(text)
    if match is None:
        try:
            return now - parse_duration(text, place)
        except BadInput as error:
            expected = "write a duration such as 10m, or a time such as 2026-01-31T08:00:00Z"
            raise BadInput(place, f"{text!r} is not understood", expected) from error
    zone = "+00:00" if match[3] in "Zz" else match[3]
    try:
        seconds = int(datetime.fromisoformat(match[1].upper() + zone).timestamp())
    except (ValueError, OverflowError) as error:
        raise BadInput(place, f"{text!r} is not a time: {error}") from error
    return seconds * SECOND + int((match[2] or "0").ljust(9, "0"))


def parse_kinds(place: str, text: str, _now: int = 0) -> tuple[str, ...]:
    """Kinds of events, separated by commas; an unknown one is refused with the nearest that there is."""
    names = tuple(name.strip().lower() for name in text.split(","))
    for name in names:
        if name not in EVENT_KINDS:
            near = similar(name, EVENT_KINDS)
            expected = f"did you mean {near!r}?" if near else f"take {', '.join(EVENT_KINDS)}"
            raise BadInput(place, f"there is no kind {name!r}", expected)
    return names


def _number(place: str, text: str, most: int) -> int:
    if text.isascii() and text.isdigit() and len(text) <= len(str(most)) and int(text) <= most:
        return int(text)
    raise BadInput(place, f"{text!r} is not a number from 0 to {most}")


def _pids(place: str, text: str, _now: int) -> tuple[int, ...]:
    return tuple(_number(place, word.strip(), LARGEST_PID) for word in text.split(","))


def _ports(place: str, text: str, _now: int) -> tuple[int, ...]:
    return tuple(_number(place, word.strip(), LARGEST_PORT) for word in text.split(","))


def parse_address(place: str, text: str, _now: int = 0) -> tuple[str, ...]:
    """An address, or a network of them, whatever bits stand behind its prefix; as ``ipaddress`` writes it.

    An IPv4 address as an IPv6 socket has it is an IPv4 address, as in events.
    """
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        expected = "write 10.0.0.1, 10.0.0.0/8 or fd00::/8"
        raise BadInput(place, f"{text!r} is no address and no network", expected) from error
    if isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= MAPPED:
        mapped = network.network_address.ipv4_mapped
        return (f"{mapped}/{network.prefixlen - MAPPED}" if mapped else str(network),)
    return (str(network),)


def _words(place: str, text: str, _now: int) -> tuple[str, ...]:
    if not text or not text.isprintable():
        raise BadInput(place, f"{text!r} is not a name")
    return (text,)


def _pod(place: str, text: str, now: int) -> tuple[str, ...]:
    namespace, slash, name = text.rpartition("/")
    if "/" in namespace or not name or (slash and not namespace):
        raise BadInput(place, f"{text!r} is no pod", "write name or namespace/name")
    return _words(place, text, now)


def _last(place: str, text: str, _now: int) -> int:
    return _number(place, text, MOST)


def _follow(place: str, text: str, _now: int) -> bool:
    if text not in ("", "0", "1", "true", "false"):
        raise BadInput(place, f"{text!r} is neither 1 nor 0")
    return text not in ("0", "false")


def _since(place: str, text: str, now: int) -> int:
    return parse_since(text, now, place)


_PARAMETERS: dict[str, tuple[str, Callable[[str, str, int], Any], bool]] = {
    "follow": ("follow", _follow, False),
    "last": ("last", _last, False),
    "since": ("since", _since, False),
    "until": ("until", _since, False),
    "kind": ("kinds", parse_kinds, True),
    "pid": ("pids", _pids, True),
    "comm": ("comms", _words, True),
    "container": ("containers", _words, True),
    "pod": ("pods", _pod, True),
    "user": ("users", _words, True),
    "address": ("addresses", parse_address, True),
    "port": ("ports", _ports, True),
}
