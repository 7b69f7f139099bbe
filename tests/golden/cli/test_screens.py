"""The screens are as they were; what changes on purpose is written anew by ``python -m tests.golden.cli.screens``."""

from pathlib import Path

import pytest

from tests.golden.cli.screens import FOLDER, SCREENS


@pytest.mark.parametrize("name", SCREENS)
def test_a_screen_is_as_it_was(
    name: str, monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> None:
    monkeypatch.chdir(Path(pytestconfig.rootpath))
    assert SCREENS[name]() == (FOLDER / f"{name}.txt").read_text()
