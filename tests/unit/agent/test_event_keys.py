"""Keys of events: those that docs/api.md lists, and no others."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from skep.agent.dropped import DropNames
from skep.agent.formatters import formatters
from skep.agent.rings import ALL
from skep.events.batch import Batch
from skep.events.record import RecordType
from skep.flows.drops import Reasons
from skep.kernel.symbols import Symbols
from skep.lang.struct import Field
from skep.lang.types import ArrayType, char
from skep.node.programs.records import Oom
from tests.unit.flows.kernels import kernel

ROOT = Path(__file__).parents[3]
FIRST = ["time", "kind", "seq"]
ALSO = {"accept": "connect", "close": "connect"}
"""Kinds that have the keys of another."""


def documented() -> dict[str, list[str]]:
    """The keys of each kind in the table of docs/api.md."""
    text = (ROOT / "docs/api.md").read_text().partition("| kind | keys |")[2]
    found: dict[str, list[str]] = {}
    kinds: list[str] = []
    for line in text.splitlines()[2:]:
        if not line.startswith("|"):
            break
        cells = line.split("|")
        kinds = re.findall(r"`(\w+)`", cells[1]) or kinds
        for kind in kinds:
            found.setdefault(kind, []).extend(re.findall(r"`(\w+)`", cells[2]))
    return found


def some(field: Field) -> Any:  # noqa: ANN401 - a value of any type
    """A value that is not none: 6 is an error, a signal and a protocol."""
    if isinstance(field.type, ArrayType):
        return "x" if field.type.element is char else [1] * field.type.count
    return 2 if field.name == "family" else 6


def keys(record: RecordType, **values: Any) -> set[str]:  # noqa: ANN401 - as above
    lines = formatters(DropNames(Reasons(kernel()), Symbols()))[record.kind_name]
    batch = Batch.of(record, [record(**values)])
    return set(json.loads(lines.lines(batch, 0, [b""])[0])) - set(FIRST)


@pytest.mark.parametrize("record", ALL, ids=lambda one: one.kind_name)
def test_a_line_has_the_keys_that_are_documented(record: RecordType) -> None:
    kind = record.kind_name
    full = {field.name: some(field) for field in record.fields if field.name != "time"}
    shown = keys(record, **{**full, "flags": 0xFF}) | keys(record)
    if kind == Oom.kind_name:
        shown -= {"flags"}
    table = documented()
    wanted = set(table[kind]) | set(table.get(ALSO.get(kind, ""), ()))
    assert shown == wanted


@pytest.mark.parametrize("record", ALL, ids=lambda one: one.kind_name)
def test_what_is_not_there_has_no_key(record: RecordType) -> None:
    given = keys(record)
    none = {"error", "failed", "signal", "cut", "process_unknown", "start_unknown", "ifindex"}
    assert given.isdisjoint(none)
