import os
from pathlib import Path

from tools import cpio


def members(data: bytes) -> dict[str, tuple[int, bytes]]:
    """Mode and content by name, read as the kernel does (Documentation/driver-api/early-userspace)."""
    found: dict[str, tuple[int, bytes]] = {}
    at = 0
    while True:
        assert data[at : at + 6] == b"070701"
        numbers = [int(data[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        mode, size, length = numbers[1], numbers[6], numbers[11]
        name = data[at + 110 : at + 110 + length - 1].decode()
        start = at + 110 + length + 3 & ~3
        if name == "TRAILER!!!":
            return found
        found[name] = (mode, data[start : start + size])
        at = start + size + 3 & ~3


def test_files_and_the_folders_that_hold_them_are_there() -> None:
    files = {"init": b"#!/bin/sh", "a/b/c": b"12345"}
    made = members(cpio.archive(files, programs=frozenset({"init"}), folders=("proc",)))
    assert made == {
        "a": (0o040755, b""),
        "a/b": (0o040755, b""),
        "proc": (0o040755, b""),
        "init": (0o100755, b"#!/bin/sh"),
        "a/b/c": (0o100644, b"12345"),
    }
    assert list(made).index("a") < list(made).index("a/b") < list(made).index("a/b/c")


def times(data: bytes, name: str) -> int:
    """The time of a member whose name occurs once."""
    return int(data[data.index(name.encode() + b"\0") - 110 :][46:54], 16)


def test_a_folder_is_kept_with_modes_links_and_times_but_for_what_is_left_out(
    tmp_path: Path,
) -> None:
    (tmp_path / "inner" / "tests").mkdir(parents=True)
    (tmp_path / "inner" / "tests" / "large").write_text("not wanted")
    (tmp_path / "inner" / "a.pyi").write_text("not wanted either")
    program = tmp_path / "inner" / "program"
    program.write_bytes(b"odd")
    program.chmod(0o750)
    os.utime(program, ns=(0, 1_700_000_000_900_000_000))
    (tmp_path / "link").symlink_to("inner/program")
    tmp_path.chmod(0o700)
    data = cpio.folder(tmp_path, "memory/here", ("tests", "*.pyi"))
    mode = os.stat(tmp_path / "inner").st_mode
    assert members(data) == {
        "memory": (0o040755, b""),
        "memory/here": (0o040700, b""),
        "memory/here/inner": (mode, b""),
        "memory/here/inner/program": (0o100750, b"odd"),
        "memory/here/link": (os.lstat(tmp_path / "link").st_mode, b"inner/program"),
    }
    assert times(data, "memory/here/inner/program") == 1_700_000_000
