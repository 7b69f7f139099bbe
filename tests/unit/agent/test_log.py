"""The log: what is grave enough is written, and one that takes nothing is no trouble."""

import os

import pytest

from skep.agent.log import LEVELS, Log


def write_all(log: Log) -> None:
    for level in LEVELS:
        getattr(log, level)(f"it is of the level {level}")


@pytest.mark.parametrize(
    ("level", "least", "written"),
    [
        ("debug", "debug", 4),
        ("info", "debug", 3),
        ("warning", "debug", 2),
        ("error", "debug", 1),
        ("debug", "error", 1),
    ],
)
def test_what_is_grave_enough_is_written(
    capfd: pytest.CaptureFixture[str], level: str, least: str, written: int
) -> None:
    write_all(Log(level, least))
    lines = capfd.readouterr().err.splitlines()
    assert lines == [f"skep: it is of the level {one}" for one in LEVELS[-written:]]


def test_any_text_is_written(capfd: pytest.CaptureFixture[str]) -> None:
    Log().info("a \udcff ← b")
    assert capfd.readouterr().err == "skep: a \\udcff ← b\n"


def test_one_that_takes_nothing_is_no_trouble() -> None:
    before = os.dup(2)
    try:
        with open("/dev/full", "w", encoding="utf-8") as full:
            os.dup2(full.fileno(), 2)
            write_all(Log("debug"))
        os.close(2)
        write_all(Log("debug"))
    finally:
        os.dup2(before, 2)
        os.close(before)
