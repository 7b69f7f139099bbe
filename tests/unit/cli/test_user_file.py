"""A user's file: whether it loads itself, what it defines, and what is shown of its errors."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from skep.base.errors import BadInput, Conflict
from skep.cli import user_file

NO_ROOT = "skep: running programs in the kernel needs root; run it as root\n"
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
        ("import skep as s\ns.run(x, b'')\n", True),
        ("from skep import load as ready\nready(x)\n", True),
        ("import json, skep\njson.load(open('x'))\n", False),
        (
            "import subprocess\nfrom subprocess import run\nsubprocess.run(['x'])\nrun(['x'])\n",
            False,
        ),
        ("import skep\ndef go(live):\n    live.run(x)\n", False),
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


@pytest.mark.parametrize(
    "loading",
    [
        "with skep.load(first) as live:\n    raise AssertionError",
        "live = skep.load(first).__enter__()",
        "try:\n    print(skep.run(first))\nfinally:\n    pass",
    ],
)
def test_what_a_file_loads_unguarded_is_not_loaded_where_it_is_no_program(loading: str) -> None:
    source = f"import json\nNUMBER = json.loads('7')\n{PROGRAM}\n{loading}\nlive.close()\n"
    module = user_file.execute(source.encode(), "x.py", "user_unguarded")
    assert [one.name for one in user_file.programs(module)] == ["first", "second"]
    assert module.NUMBER == 7
    del sys.modules["user_unguarded"]


def test_what_only_may_load_is_executed() -> None:
    guarded = 'if __name__ == "__main__":\n    skep.load(first)\n'
    source = f"import skep\ndef go():\n    skep.load(1)\n{guarded}{PROGRAM}"
    module = user_file.execute(source.encode(), "x.py", "user_guarded")
    assert [one.name for one in user_file.programs(module)] == ["first", "second"]
    del sys.modules["user_guarded"]


def test_a_reader_that_goes_away_is_no_fault_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "writes.py"
    file.write_text(
        "import skep, sys\ndef go(): skep.load()\nwhile True: print('x' * 9999, flush=True)\n"
    )
    line = f"{sys.executable} -m skep.cli run {file} | head -c 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) in [(141, "x", ""), (4, "", NO_ROOT)]


def test_a_pipe_of_the_file_s_own_is_its_own() -> None:
    with pytest.raises(user_file.Failed, match="BrokenPipeError"):
        user_file.execute(b"raise BrokenPipeError(32, 'mine')", "x.py", "user_pipe")
    del sys.modules["user_pipe"]


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


@pytest.mark.parametrize(
    ("line", "end"),
    [
        ("skep.tc('up')", "not 'up'"),
        ("skep.tracepiont('a/b')", "no attribute 'tracepiont'; did you mean 'tracepoint'?"),
    ],
)
def test_what_skep_refuses_is_shown_at_the_line_of_the_file(line: str, end: str) -> None:
    with pytest.raises(user_file.Failed) as caught:
        user_file.execute(f"import skep\n{line}\n".encode(), "mine.py", "user_refused")
    text = str(caught.value)
    assert [line for line in text.splitlines() if "File" in line] == [
        '  File "mine.py", line 2, in <module>'
    ]
    assert text.endswith(end)
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


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a package within a package."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    inner = tmp_path / "outer_package" / "inner"
    inner.mkdir(parents=True)
    (inner / "__init__.py").write_text("")
    (inner.parent / "__init__.py").write_text("")
    (inner / "near_it.py").write_text("VALUES = []\n")
    yield inner
    for name in [one for one in sys.modules if one.startswith(("outer_package", "near_it"))]:
        del sys.modules[name]


@pytest.mark.parametrize(
    "line",
    [
        "from .near_it import VALUES",
        "from outer_package.inner.near_it import VALUES",
        "from near_it import VALUES",
    ],
)
@pytest.mark.parametrize("name", ["user_package", user_file.MAIN])
def test_a_file_of_a_package_imports_its_neighbours(
    package: Path, monkeypatch: pytest.MonkeyPatch, line: str, name: str
) -> None:
    monkeypatch.setitem(sys.modules, user_file.MAIN, sys.modules[user_file.MAIN])
    made = user_file.execute(line.encode(), str(package / "mine.py"), name)
    assert made.VALUES == []
    assert made.__name__ == (name if name == user_file.MAIN else "outer_package.inner.mine")


def test_a_module_that_its_package_imports_is_executed_once(package: Path) -> None:
    source = "from .near_it import VALUES\nVALUES.append(1)\n"
    (package / "mine.py").write_text(source)
    (package / "__init__.py").write_text("from . import mine\n")
    assert user_file.execute(source.encode(), str(package / "mine.py"), "x").VALUES == [1]
    made = user_file.execute(b"from . import mine", str(package / "__init__.py"), "x")
    assert made.__name__ == "outer_package.inner"


def test_what_is_wrong_with_the_package_is_shown_where_it_is(package: Path) -> None:
    (package / "__init__.py").write_text("1 / 0\n")
    with pytest.raises(user_file.Failed) as caught:
        user_file.execute(b"", str(package / "mine.py"), "x")
    lines = str(caught.value).splitlines()
    assert [line for line in lines if "File" in line] == [
        f'  File "{package / "__init__.py"}", line 1, in <module>'
    ]


@pytest.mark.parametrize(("mode", "found"), [(0o755, True), (0o777, False)])
def test_the_current_directory_is_the_last_place_unless_others_may_write_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, *, found: bool
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spaces").mkdir()
    (tmp_path / "spaces" / "near_here.py").write_text("X = 5\n")
    tmp_path.chmod(mode)
    source = b"from spaces.near_here import X\n"
    if found:
        assert user_file.execute(source, "spaces/mine.py", "user_space").X == 5
        assert sys.path[-1] == str(tmp_path)
    else:
        with pytest.raises(user_file.Failed, match="No module named 'spaces'"):
            user_file.execute(source, "spaces/mine.py", "user_space")
    for name in [one for one in sys.modules if one.startswith(("spaces", "user_space"))]:
        del sys.modules[name]


def test_a_file_elsewhere_does_not_import_from_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    user_file.execute(b"", str(tmp_path / "mine.py"), "user_elsewhere")
    assert str(tmp_path / "here") not in sys.path
    del sys.modules["user_elsewhere"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no such file"):
        user_file.read(str(tmp_path / "none.py"))
    with pytest.raises(BadInput, match="Is a directory"):
        user_file.read(str(tmp_path))


def test_a_files_arguments_are_its_own() -> None:
    before = list(sys.argv)
    source = b"import sys; words = list(sys.argv)"
    assert user_file.execute(source, "x.py", "user_words", ["7", "-v"]).words == ["x.py", "7", "-v"]
    assert user_file.execute(source, "x.py", "user_alone").words == ["x.py"]
    assert sys.argv == before
    del sys.modules["user_words"], sys.modules["user_alone"]
