"""Checks of settings in a configuration file: a place in it -> a value, or BadInput that names it.

Works on the nodes of a YAML composer (``tag``, ``value``, ``start_mark``); constructs no objects.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from skep.base.errors import BadInput
from skep.base.frozen import frozen
from skep.base.paths import check_instance
from skep.base.similar import similar
from skep.base.units import bytes_text, nanos_text, parse_bytes, parse_duration

_SOCKET_PATH = 107
_INT = r"[+-]?[0-9][0-9_]*"
_ADDRESS = r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):([0-9]{1,5})"
_KINDS = {"map": "a mapping", "seq": "a list", "str": "text", "null": "nothing"}


@frozen
class Place:
    """A node of the file, and where it is: ``key`` is its path, as ``metrics.address``."""

    file: str
    line: int
    key: str
    node: Any

    @property
    def kind(self) -> str:
        """The YAML type: map, seq, str, int, float, bool, null, or a tag of the user's."""
        return str(self.node.tag).removeprefix("tag:yaml.org,2002:")

    def wrong(self, expected: str) -> BadInput:
        """The error that what stands here is not what was expected."""
        found = _KINDS.get(self.kind)
        if found is None or self.kind == "str":
            found = repr(self.node.value) if isinstance(self.node.value, str) else self.kind
        return self.error(f"{found} does not fit", f"expected {expected}")

    def error(self, problem: str, expected: str = "") -> BadInput:
        """An error at this place."""
        return BadInput.at(self.file, self.line, self.key or "(top)", problem, expected)

    def mapping(self, known: Iterable[str]) -> dict[str, "Place"]:
        """The members of a mapping, keys among ``known``; duplicate and unknown keys are errors."""
        names = list(known)
        if self.kind != "map":
            raise self.wrong(f"a mapping with keys of {', '.join(names)}")
        members: dict[str, Place] = {}
        for key, value in self.node.value:
            name = key.value if isinstance(key.value, str) else "?"
            path = f"{self.key}.{name}" if self.key else name
            here = Place(self.file, key.start_mark.line + 1, path, value)
            if name not in names:
                near = similar(name, names)
                hint = f"did you mean {near!r}?" if near else f"known are {', '.join(names)}"
                raise here.error("unknown key", hint)
            if name in members:
                raise here.error(f"given twice, first in line {members[name].line}")
            members[name] = here
        return members

    def text(self, expected: str) -> str:
        """The text of a scalar that is not empty."""
        if self.kind in ("map", "seq", "null") or not self.node.value:
            raise self.wrong(expected)
        return str(self.node.value)


Check = Callable[[Place], Any]


def boolean(place: Place) -> bool:
    """A switch: true or false."""
    if place.kind != "bool":
        raise place.wrong("true or false")
    return str(place.node.value).lower() in ("true", "yes", "on")


def integer(low: int, high: int) -> Callable[[Place], int]:
    """A whole number from ``low`` to ``high``."""

    def check(place: Place) -> int:
        expected = f"a whole number from {low} to {high}"
        text = place.text(expected)
        if not re.fullmatch(_INT, text, re.ASCII) or not low <= (value := int(text)) <= high:
            raise place.wrong(expected)
        return value

    return check


def number(low: float, high: float) -> Callable[[Place], float]:
    """A number from ``low`` to ``high``."""

    def check(place: Place) -> float:
        expected = f"a number from {low:g} to {high:g}"
        text = place.text(expected)
        try:
            value = float(text)
        except ValueError:
            raise place.wrong(expected) from None
        if not low <= value <= high:
            raise place.wrong(expected)
        return value

    return check


def size(low: int, high: int) -> Callable[[Place], int]:
    """Bytes, with or without a unit."""
    return _quantity(parse_bytes, low, high, f"a size from {bytes_text(low)} to {bytes_text(high)}")


def duration(low: int, high: int) -> Callable[[Place], int]:
    """Nanoseconds of a duration, with a unit or in seconds."""
    text = f"a duration from {nanos_text(low)} to {nanos_text(high)}"
    return _quantity(parse_duration, low, high, text)


def _quantity(
    parse: Callable[[str], int], low: int, high: int, expected: str
) -> Callable[[Place], int]:
    def check(place: Place) -> int:
        text = place.text(expected)
        try:
            value = parse(text)
        except BadInput as error:
            raise place.wrong(expected) from error
        if not low <= value <= high:
            raise place.wrong(expected)
        return value

    return check


def choice(*words: str) -> Callable[[Place], str]:
    """One of ``words``."""

    def check(place: Place) -> str:
        expected = f"one of {', '.join(words)}"
        text = place.text(expected)
        if text in words:
            return text
        near = similar(text, words)
        raise place.wrong(f"{expected}; did you mean {near!r}?" if near else expected)

    return check


def instance(place: Place) -> str:
    """The name of an instance."""
    return check_instance(place.text("a name"), f"{place.file}:{place.line}: {place.key}")


def address(place: Place) -> str:
    """host:port; an IPv6 host stands in brackets."""
    expected = "host:port, such as 127.0.0.1:9565 or [::1]:9565"
    text = place.text(expected)
    match = re.fullmatch(_ADDRESS, text, re.ASCII)
    if match is None or not 0 < int(match[2]) < 1 << 16:
        raise place.wrong(expected)
    return text


def sockets(place: Place) -> tuple[str, ...]:
    """A list of absolute paths of unix sockets."""
    if place.kind != "seq":
        raise place.wrong("a list of socket paths")
    return tuple(_socket(place, node, i) for i, node in enumerate(place.node.value))


def _socket(place: Place, node: Any, index: int) -> str:  # noqa: ANN401 - as Place.node
    here = Place(place.file, node.start_mark.line + 1, f"{place.key}[{index}]", node)
    expected = f"an absolute path of at most {_SOCKET_PATH} bytes"
    path = here.text(expected).removeprefix("unix://")
    if not path.startswith("/") or len(path.encode()) > _SOCKET_PATH:
        raise here.wrong(expected)
    return path


def switches(names: tuple[str, ...]) -> Callable[[Place], frozenset[str]]:
    """A mapping name: true|false; names that it leaves out are on."""

    def check(place: Place) -> frozenset[str]:
        said = {name: boolean(inner) for name, inner in place.mapping(names).items()}
        return frozenset(name for name in names if said.get(name, True))

    return check
