"""A user's file: whether it loads itself, what it defines, and what is shown of its errors."""

import sys
from pathlib import Path

import pytest

from skep.base.errors import BadInput, Conflict
from skep.cli import user_file

PROGRAM = """
import skep
from skep import tp_btf

@tp_btf("sched_process_exec")
def first(task, pid, bprm):
    return

@tp_btf("sched_process_exit")
def second(task):
    return

again = first
"""


@pytest.mark.parametrize(
    ("source", "main"),
    [
        ("import skep\nskep.load(x)\n", True),
        ("from skep import load\nwith load(x) as live:\n    pass\n", True),
        ("import skep\nprint(skep.run(x, b''))\n", True),
        (PROGRAM, False),
        ("'skep.load(x)'\n", False),
        ("import json\njson.loads('1')\n", False),
    ],
)
def test_a_file_that_loads_its_programs_is_known(source: str, main: object) -> None:
    assert user_file.has_main(source.encode(), "x.py") is main


@pytest.mark.parametrize("source", [b"def", b"\0", b"\xff"])
def test_what_is_not_python_is_refused_with_its_place(source: bytes) -> None:
    with pytest.raises(BadInput, match=r"x\.py"):
        user_file.has_main(source, "x.py")


def test_programs_are_found_in_order_and_once() -> None:
    module = user_file.execute(PROGRAM.encode(), "x.py", "user_programs")
    assert [one.name for one in user_file.programs(module)] == ["first", "second"]
    del sys.modules["user_programs"]


def test_a_file_without_a_program_is_refused() -> None:
    module = user_file.execute(b"x = 1", "x.py", "user_nothing")
    with pytest.raises(BadInput, match="it defines no program"):
        user_file.require_programs(module, "x.py")
    del sys.modules["user_nothing"]


def test_an_error_of_the_file_shows_its_lines_and_none_of_ours() -> None:
    with pytest.raises(user_file.Failed) as caught:
        user_file.execute(b"def f():\n    1 / 0\nf()\n", "mine.py", "user_failing")
    text = str(caught.value)
    assert text.startswith(
        'mine.py failed:\nTraceback (most recent call last):\n  File "mine.py", line 3'
    )
    assert text.endswith("ZeroDivisionError: division by zero")
    assert "user_file" not in text
    del sys.modules["user_failing"]


def test_what_skep_refuses_is_shown_at_the_line_of_the_file() -> None:
    with pytest.raises(user_file.Failed) as caught:
        user_file.execute(b"import skep\nskep.tc('up')\n", "mine.py", "user_refused")
    text = str(caught.value)
    assert [line for line in text.splitlines() if "File" in line] == [
        '  File "mine.py", line 2, in <module>'
    ]
    assert text.endswith("not 'up'")
    del sys.modules["user_refused"]


def test_a_fault_of_skep_is_shown_with_its_place() -> None:
    source = b"from skep.events.batch import Batch\nlen(Batch(None, None))\n"
    with pytest.raises(user_file.Failed, match=r"batch\.py"):
        user_file.execute(source, "mine.py", "user_fault")
    del sys.modules["user_fault"]


def test_an_error_of_skep_passes_through() -> None:
    source = b"from skep.base.errors import Conflict\nraise Conflict('a', 'b')\n"
    with pytest.raises(Conflict):
        user_file.execute(source, "mine.py", "user_conflict")
    del sys.modules["user_conflict"]


def test_a_file_imports_what_lies_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "beside_it.py").write_text("X = 5\n")
    path = str(tmp_path / "mine.py")
    assert user_file.execute(b"from beside_it import X\n", path, "user_beside").X == 5
    del sys.modules["user_beside"], sys.modules["beside_it"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no such file"):
        user_file.read(str(tmp_path / "none.py"))
    with pytest.raises(BadInput, match="Is a directory"):
        user_file.read(str(tmp_path))
