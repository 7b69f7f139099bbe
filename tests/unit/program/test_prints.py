"""Printed lines as people and as programs read them."""

import json

from skep.kernel.printed import Line
from skep.program import prints


def test_a_line_for_people_holds_nothing_that_a_terminal_obeys() -> None:
    assert prints.text(Line(5_000, "true", 7, 1, "n is 3")) == "print tid=7: n is 3"
    assert prints.text(Line(5_000, "true", 7, 1, "\x1b[2J")) == "print tid=7: \\x1b[2J"


def test_a_line_as_json_has_no_key_without_a_value() -> None:
    found = json.loads(prints.json(Line(5_000, "", 7, 1, "")))
    assert list(found) == ["time", "kind", "tid", "cpu"]
    assert found["kind"] == "print"
    assert found["time"].endswith("Z")
