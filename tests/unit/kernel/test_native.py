"""Machine code that is called where a file is mapped."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from skep.kernel.bpf import Code
from skep.kernel.native import Function
from skep.lang import native

TEXT = "define i64 @next(i64 %a) nounwind {\n  %b = add i64 %a, 1\n  ret i64 %b\n}\n"
SELF = native.processor()
DENIED = """
import os, sys
from skep.kernel.bpf import PRIVILEGES
from skep.kernel.native import Function
MDWE, REFUSE_GAIN = 65, 1
try:
    PRIVILEGES.prctl(MDWE, REFUSE_GAIN)
except OSError as error:
    sys.exit(f"PR_SET_MDWE: {error.strerror}")
with open(sys.argv[1], "rb") as file:
    print(Function(file.fileno(), 0)(41))
"""


@pytest.fixture(scope="module")
def function(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a function that adds one."""
    path = tmp_path_factory.mktemp("code") / "next"
    path.write_bytes(native.made("next", [TEXT], SELF)[0])
    return path


def test_a_function_is_called_with_and_gives_64_bits(function: Path) -> None:
    with function.open("rb") as file:
        after = Function(file.fileno(), 0)
    assert after(41) == 42
    assert after(2**63 + 5) == 2**63 + 6
    assert after.signature == native.signature(TEXT, SELF)


def test_it_begins_anywhere_in_its_file(function: Path, tmp_path: Path) -> None:
    path = tmp_path / "later"
    path.write_bytes(bytes(56) + function.read_bytes())
    with path.open("rb") as file:
        assert Function(file.fileno(), 56)(1) == 2


def test_its_pages_go_with_it(function: Path) -> None:
    def mapped() -> int:
        return Path("/proc/self/maps").read_text().count(os.fspath(function))

    with function.open("rb") as file:
        after = Function(file.fileno(), 0)
    assert mapped() == 1
    del after
    assert mapped() == 0


def test_its_pages_are_never_to_be_written(function: Path) -> None:
    with function.open("rb") as file:
        after = Function(file.fileno(), 0)
    lines = Path("/proc/self/maps").read_text().splitlines()
    rights = [line.split()[1] for line in lines if line.endswith(os.fspath(function))]
    assert (rights, after(0)) == (["r-xp"], 1)


def test_a_process_that_may_not_make_code_of_data_calls_it(function: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", DENIED, function], capture_output=True, text=True, check=False
    )
    if "PR_SET_MDWE: Invalid argument" in run.stderr:
        pytest.skip("PR_SET_MDWE (Linux 6.3)")
    assert (run.stdout, run.stderr) == ("42\n", "")


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "closed", os.O_WRONLY | os.O_CREAT)
    try:
        os.write(fd, bytes(100))
        with pytest.raises(OSError, match=os.strerror(errno.EACCES)):
            Code(fd, 0, 100)
    finally:
        os.close(fd)


def test_a_beginning_behind_the_end_of_the_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "short"
    path.write_bytes(bytes(native.CODE_AT))
    with path.open("rb") as file, pytest.raises(OSError, match=os.strerror(errno.EINVAL)):
        Function(file.fileno(), 0)
