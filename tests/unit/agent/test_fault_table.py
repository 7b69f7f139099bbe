"""The table of what happens when something goes wrong: the tests that it names are there."""

import re

import pytest


def test_each_line_names_tests_that_there_are(pytestconfig: pytest.Config) -> None:
    page = (pytestconfig.rootpath / "docs" / "agent.md").read_text()
    table = page.split("## What happens when")[1].split("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("| ")][1:]
    tests = "".join(
        file.read_text() for file in (pytestconfig.rootpath / "tests").rglob("test_*.py")
    )
    there = set(re.findall(r"^(?:async )?def (test_\w+)", tests, re.MULTILINE))
    assert len(lines) > 30
    for line in lines:
        named = set(re.findall(r"`(test_\w+)`", line))
        assert named, line
        assert named <= there, line
