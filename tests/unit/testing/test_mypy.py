import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = """
import skep

class Seen(skep.Record, kind="seen"):
    comm: skep.char[16]
    address: skep.u8[16]
    pid: skep.u32

def show(seen: Seen) -> None:
    reveal_type(seen.comm)
    reveal_type(seen.address)
    reveal_type(seen.pid)
    seen.pid = 7
"""

ARRAYS = """
import skep
from skep import u64

@skep.inline
def first(text: str) -> int:
    room = u64[1]()
    room[0] = 5
    reveal_type(room)
    reveal_type(skep.char[16]())
    return room[0]

sizes: skep.Hash = skep.Hash(u64, skep.u8[16], 4)
"""

OBJECTS = """
import skep
from skep import s32, u32

TASK = skep.kernel_struct("task_struct")

@skep.global_function
def parent_of(task: TASK | None, address: int) -> u32:
    reveal_type(TASK(address).tgid)
    return 0 if task is None or TASK is None else task.real_parent.tgid
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where mypy keeps what it knows of others' modules: that takes longer than the tests."""
    made = tmp_path_factory.mktemp("mypy")
    (made / "mypy.ini").write_text("[mypy]\nstrict = True\nplugins = skep.testing.mypy\n")
    return made


def checked(folder: Path, source: str) -> tuple[list[str], str]:
    """The types that mypy reveals, and what it says otherwise."""
    (folder / "user.py").write_text(source)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", str(folder), "user.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    revealed = [line.split('"')[1] for line in lines if "Revealed" in line]
    return revealed, "\n".join(line for line in lines if "error" in line)


def test_the_fields_of_a_record_have_the_types_of_their_values(folder: Path) -> None:
    assert checked(folder, SOURCE) == (["str", "list[int]", "int"], "")


def test_an_array_that_a_program_makes_has_the_type_of_its_values(folder: Path) -> None:
    assert checked(folder, ARRAYS) == (["list[int]", "str"], "")


def test_structs_of_the_kernel_are_types_with_any_fields(folder: Path) -> None:
    revealed, errors = checked(folder, OBJECTS)
    assert (revealed, errors) == (["Any"], "")
