"""Which file a name means, by the dynamic linker's cache, by PATH, by folder."""

import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep.base.errors import BadInput
from skep.kernel.libraries import find, parse

X86_64, I386 = 0x0303, 0x0003


def cache(entries: list[tuple[str, str, int]], old: bytes = b"") -> bytes:
    """A cache as ldconfig writes it; ``old`` stands before it, as the older format does."""
    at, text, rows = 48 + 24 * len(entries), b"", b""
    for name, path, flags in entries:
        first = at + len(text)
        text += name.encode() + b"\0"
        second = at + len(text)
        text += path.encode() + b"\0"
        rows += struct.pack("<iIIIQ", flags, first, second, 0, 0)
    head = struct.pack("<20sIIB3xI12x", b"glibc-ld.so.cache1.1", len(entries), len(text), 2, 0)
    return old + head + rows + text


ENTRIES = [("libz.so.1", "/lib/libz.so.1", X86_64), ("libz.so.1", "/lib32/libz.so.1", I386)]


def test_the_entries_of_this_machines_kind_are_read() -> None:
    assert parse(cache(ENTRIES), X86_64) == {"libz.so.1": "/lib/libz.so.1"}
    assert parse(cache(ENTRIES, b"ld.so-1.7.0\0" + bytes(12)), I386) == {
        "libz.so.1": "/lib32/libz.so.1"
    }
    assert parse(b"nothing", X86_64) == {}
    assert parse(bytes(4096), X86_64) == {}
    assert parse(cache(ENTRIES)[:47], X86_64) == {}


@given(st.binary(max_size=64), st.integers(0, 200))
def test_a_damaged_cache_gives_what_can_be_read(noise: bytes, end: int) -> None:
    parse(cache(ENTRIES)[:end] + noise, X86_64)


def here(tmp_path: Path, *names: str) -> str:
    """A cache of libraries of the running machine's kind."""
    flags = {"x86_64": X86_64, "aarch64": 0x0A03}[os.uname().machine]
    path = tmp_path / "cache"
    path.write_bytes(cache([(name, str(tmp_path / name), flags) for name in names]))
    return str(path)


def test_a_library_is_found_by_its_name_in_the_highest_version(tmp_path: Path) -> None:
    known = here(tmp_path, "libz.so.1", "libz.so.10", "libz.so.9.1", "libzz.so.2")
    assert find("libz", cache=known) == str(tmp_path / "libz.so.10")
    assert find("libz.so.1", cache=known) == str(tmp_path / "libz.so.1")


def test_a_program_is_found_on_the_path_and_a_path_is_itself(tmp_path: Path) -> None:
    assert os.path.basename(find("sh", cache=here(tmp_path))) in ("dash", "bash", "sh", "busybox")
    (tmp_path / "link").symlink_to("/bin/true")
    assert find(str(tmp_path / "link")) == str(tmp_path / "link")
    assert find("/proc/self/root/bin/true") == "/proc/self/root/bin/true"


def test_without_a_cache_the_folders_are_looked_through(tmp_path: Path) -> None:
    assert "libc" in find("libc", cache=str(tmp_path / "none"))


def test_a_name_that_is_none_is_told_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="did you mean 'libcrypto'"):
        find("libcrypta", cache=here(tmp_path, "libcrypto.so.3"))
