"""The kernel writes text for programs, as plain Python does."""

import os
import time
from typing import Any

import pytest

import skep
from tests.kernel.lang.both import live, packets, plain
from tests.kernel.lang.kernel_texts import programs


@pytest.mark.requires("helper.snprintf")
def test_text_of_values_is_that_of_plain_python() -> None:
    given = list(packets(5, 8))
    assert live(programs.writes_text, given) == plain(programs.writes_text, given)
    (_, left) = live(programs.writes_text, given[:1])[0]
    assert b" abc 100%\0" in left
    assert b"plain\0" in left


@pytest.mark.requires("helper.snprintf_btf")
def test_an_object_is_shown_by_the_kernels_types() -> None:
    with skep.load(programs.shows_credentials) as loaded:
        loaded[programs.own][os.getpid()] = 1
        end = time.monotonic() + 60
        event: Any = None
        while event is None and time.monotonic() < end:
            event = next(iter(loaded[programs.shown].poll(1)), None)
    assert event is not None
    assert event.text.startswith("(struct pid){")
    assert ".level = (unsigned int)" in event.text or ".count" in event.text


@pytest.mark.requires("helper.snprintf_btf")
def test_an_iterator_writes_an_object_into_its_file() -> None:
    with skep.load(programs.shows_tasks) as loaded:
        loaded[programs.own][os.getpid()] = 1
        assert loaded.read(programs.shows_tasks).startswith(b"(struct pid){")
