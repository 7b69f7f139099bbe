"""The checks run two at a time, and what they say comes out whole; the last lines are of all tests."""

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

from skep.testing.programs import until
from tools import debian
from tools.check import CHECKS, Check, Run, Told

DRIVER = """
import signal, sys
from pathlib import Path
from tools.check import Check, Run
run = Run(Path(sys.argv[1]), lambda text: print(text, flush=True))
signal.signal(signal.SIGTERM, run.end)
child = "import os, signal; print('so far', os.getpid(), flush=True); signal.pause()"
run.together([Check(name, ("python", "-c", child)) for name in ("one", "two", "three")])
"""
WAITS = "import pathlib, sys; [0 for _ in iter(pathlib.Path(sys.argv[1]).exists, True)]"
MAKES = "import pathlib, sys; pathlib.Path(sys.argv[1]).touch()"


def python(name: str, code: str, *words: object, alone: bool = False) -> Check:
    return Check(name, ("python", "-c", code, *map(str, words)), alone=alone)


def collects(check: Check, file: Path) -> bool:
    words = [(debian.ROOT / word.removeprefix("--ignore="), word) for word in check.command[2:]]
    below = [word.startswith("--ignore=") for path, word in words if file.is_relative_to(path)]
    return check.group == "test" and below != [] and not any(below)


def test_each_test_file_belongs_to_one_check() -> None:
    files = list((debian.ROOT / "tests").rglob("test_*.py"))
    counts = {str(file): sum(collects(check, file) for check in CHECKS) for file in files}
    assert len(counts) > 300
    assert {file: count for file, count in counts.items() if count != 1} == {}


def test_two_run_at_a_time_and_one_alone_is_the_last(tmp_path: Path) -> None:
    shown: list[str] = []
    run = Run(tmp_path / "said", shown.append)
    mark = tmp_path / "mark"
    alone = python("alone", "print('last')", alone=True)
    run.together([alone, python("waits", WAITS, mark), python("makes", MAKES, mark)])
    assert run.codes == {"waits": 0, "makes": 0, "alone": 0}
    assert [line.split()[:2] for line in shown][-1] == ["alone", "passed"]
    assert run.said("alone") == "last"


def test_one_that_fails_shows_what_it_said_and_the_others_go_on(tmp_path: Path) -> None:
    shown: list[str] = []
    run = Run(tmp_path, shown.append)
    fails = python("fails", "import sys; print('why'); sys.exit(3)")
    run.together([fails, python("works", "print('well')")])
    assert run.codes == {"fails": 3, "works": 0}
    failed = next(i for i, line in enumerate(shown) if line.startswith("fails   failed"))
    assert shown[failed + 1] == "why"
    assert "well" not in shown


def test_the_last_lines_are_of_all_tests(tmp_path: Path) -> None:
    told = Told()
    for number, found in enumerate(
        [
            {"outcomes": {"passed": 4, "skipped": 1}, "failed": [], "not_run": {"no root": 1}},
            {"outcomes": {"passed": 2, "failed": 1}, "failed": ["a::b"], "not_run": {"no root": 2}},
        ]
    ):
        (tmp_path / str(number)).write_text(json.dumps(found))
        told.add(tmp_path / str(number))
    told.add(tmp_path / "of one that was killed")
    assert list(told.lines()) == [
        "not run, and why:",
        "   3 tests no root",
        "FAILED a::b",
        "6 passed, 1 skipped, 1 failed",
    ]


def test_pytest_tells_what_became_of_its_tests(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(
        "import pytest\n"
        "def test_passes() -> None: ...\n"
        "def test_fails() -> None: raise ValueError\n"
        "def test_is_skipped() -> None: pytest.skip('no such thing')\n"
        "@pytest.fixture\n"
        "def breaks() -> None: raise ValueError\n"
        "def test_breaks(breaks: None) -> None: ...\n"
    )
    options = [f"--told={tmp_path / 'told'}", "--confcutdir=/", "-p", "tests.conftest"]
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, tmp_path],
        cwd=debian.ROOT,
        capture_output=True,
        check=False,
    )
    told = Told()
    told.add(tmp_path / "told")
    assert told.outcomes == {"passed": 1, "failed": 1, "skipped": 1, "error": 1}
    assert [test.split("::")[1] for test in told.failed] == ["test_fails", "test_breaks"]
    assert told.not_run == {"no such thing": 1}


def test_a_run_that_is_ended_shows_what_its_checks_said_and_ends_them(tmp_path: Path) -> None:
    command = [sys.executable, "-c", DRIVER, str(tmp_path)]
    said = [tmp_path / name for name in ("one", "two")]
    with subprocess.Popen(command, cwd=debian.ROOT, stdout=subprocess.PIPE, text=True) as driver:
        until(lambda: all(path.exists() and path.read_text().endswith("\n") for path in said))
        children = [os.pidfd_open(int(path.read_text().split()[-1])) for path in said]
        driver.terminate()
        output = driver.communicate()[0]
    assert driver.returncode == 128 + signal.SIGTERM
    assert output.count("was running when signal 15 came\nso far") == 2
    assert not (tmp_path / "three").exists()
    for child in children:
        assert select.select([child], [], [], 60)[0], "it goes on"
        os.close(child)
