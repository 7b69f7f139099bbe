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
