"""What a guest's pytest said, read from its junit file."""

import subprocess
from fnmatch import fnmatchcase
from pathlib import Path

from tests.vm.guests import (
    LEFT_OUT,
    Results,
    command,
    held,
    left_out,
    python_of,
    read,
    standard_library,
    uncompiled,
)
from tools import debian

JUNIT = """<?xml version="1.0"?>
<testsuites><testsuite tests="4">
<testcase classname="tests.kernel.test_a" name="test_passes"/>
<testcase classname="tests.kernel.test_a" name="test_fails"><failure message="m">assert 1</failure></testcase>
<testcase classname="tests.kernel.test_a" name="test_is_skipped"><skipped message="link.tcx: since 6.6"/></testcase>
<testcase classname="tests.kernel.test_a" name="test_breaks"><error message="at setup"/></testcase>
</testsuite></testsuites>
"""


def test_each_test_has_its_outcome(tmp_path: Path) -> None:
    (tmp_path / "results.xml").write_text(JUNIT)
    found = read(tmp_path / "results.xml")
    assert found == Results(
        1,
        {
            "tests.kernel.test_a::test_fails": "assert 1",
            "tests.kernel.test_a::test_breaks": "at setup",
        },
        {"tests.kernel.test_a::test_is_skipped": "link.tcx: since 6.6"},
    )
    assert "test_fails\nassert 1" in str(found)


def test_a_guest_that_wrote_nothing_has_no_results(tmp_path: Path) -> None:
    assert read(tmp_path / "results.xml") == Results(0, {}, {})


def test_programs_that_were_not_compiled_are_told(tmp_path: Path) -> None:
    (tmp_path / "compiled").write_text(
        "\ncompiled 3 programs\nnot compiled: on_exit: no argument\n"
    )
    assert uncompiled(tmp_path) == "not compiled: on_exit: no argument"


def test_the_command_empties_the_compiler_and_runs_the_tests_asked_for() -> None:
    words = command("tests/kernel -k rings")
    assert "site-packages/llvmlite || exit 91" in words
    assert words.rstrip().endswith("tests/kernel -k rings")


def environment(folder: Path, python: Path) -> Path:
    """A virtual environment of ``python``."""
    (folder / "bin").mkdir()
    (folder / "bin/python3").symlink_to(python)
    (folder / "pyvenv.cfg").write_text("home = /opt/bin\nversion = 3.11.7\n")
    return folder


def test_a_guest_has_debians_python_where_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "lib/python3.11").mkdir(parents=True)
    theirs = tmp_path / "usr" / "python3.11"
    theirs.parent.mkdir()
    theirs.touch()
    made = environment(tmp_path, Path("/opt/bin/python3"))
    subprocess.run(python_of(made, theirs), shell=True, check=True)
    assert (made / "bin/python3").readlink() == theirs
    assert (made / "pyvenv.cfg").read_text() == f"home = {theirs.parent}\nversion = 3.11.7\n"
    assert standard_library(theirs) == tmp_path / "lib/python3.11"
    assert python_of(made, theirs) == "true"  # it is so already


def test_a_guest_has_the_python_of_this_machine_where_debians_is_not_there(tmp_path: Path) -> None:
    absent = tmp_path / "python3.11"
    assert python_of(environment(tmp_path, Path("/opt/bin/python3")), absent) == "true"
    assert (standard_library(absent) / "os.py").exists()


def test_packages_are_in_a_guests_memory_without_the_compilers(tmp_path: Path) -> None:
    packages = next(one for one in held(tmp_path) if one.path.endswith("site-packages"))
    names = {one.name for one in packages.source.iterdir()}
    absent = {name for name in names if any(fnmatchcase(name, one) for one in packages.without)}
    assert "llvmlite" in absent
    assert {"_pytest", "pytest", "hypothesis", "numpy", "numpy.libs", "click"} <= names - absent


def test_what_a_guest_leaves_out_is_there_and_has_a_reason() -> None:
    assert all(LEFT_OUT)
    assert [path for path in left_out() if not (debian.ROOT / path).exists()] == []
