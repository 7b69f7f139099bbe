"""The Prometheus text format (0.0.4), written by hand: a family is a value, the text is made when it is asked for.

It knows no metric of ours: the agent gives the families, this writes them.
"""

from collections.abc import Iterable, Mapping

from skep.base.frozen import frozen

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
COUNTER, GAUGE = "counter", "gauge"


@frozen
class Sample:
    """A value and its labels."""

    value: float
    labels: Mapping[str, str]


@frozen
class Family:
    """A metric: its name (with ``_total`` for a counter), type, help text, and samples."""

    name: str
    type: str
    help: str
    samples: tuple[Sample, ...]


def text(families: Iterable[Family]) -> bytes:
    """The exposition of ``families``; one without samples is left out."""
    return "".join(_family(one) for one in families if one.samples).encode()


def _family(one: Family) -> str:
    head = f"# HELP {one.name} {_escaped(one.help)}\n# TYPE {one.name} {one.type}\n"
    return head + "".join(
        f"{one.name}{_labels(s.labels)} {_number(s.value)}\n" for s in one.samples
    )


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    quote = '\\"'
    pairs = (
        f'{name}="{_escaped(value).replace(chr(34), quote)}"' for name, value in labels.items()
    )
    return "{" + ",".join(pairs) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n")


def _number(value: float) -> str:
    if isinstance(value, int) or value.is_integer():
        return str(int(value))
    return repr(value)
