"""The kernel's types come with a saved index, which is only taken where it is ours and whole."""

import os
import struct
from pathlib import Path

import pytest

from skep.base.errors import Unsupported
from skep.btf.types import Kind
from skep.kernel import cpus
from skep.kernel.commands import Command
from skep.kernel.vmlinux import build_id, cpu_level, vmlinux
from skep.testing.door import FakeDoor
from tests.unit.btf.samples import kernel

IDENTITY = bytes(range(20))


def note(kind: int, name: bytes, body: bytes) -> bytes:
    parts = [struct.pack("<III", len(name), len(body), kind)]
    parts += [part + bytes(-len(part) % 4) for part in (name, body)]
    return b"".join(parts)


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, str]:
    blob, notes = tmp_path / "vmlinux", tmp_path / "notes"
    blob.write_bytes(kernel())
    notes.write_bytes(note(6, b"Linux\0", b"xyz") + note(3, b"GNU\0", IDENTITY))
    return {"blob": str(blob), "notes": str(notes)}


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    (tmp_path / "cache").mkdir(mode=0o700)
    return tmp_path / "cache"


def test_the_build_id_is_found_among_other_notes(machine: dict[str, str], tmp_path: Path) -> None:
    assert build_id(machine["notes"]) == IDENTITY.hex()
    assert build_id(str(tmp_path / "none")) == ""


def saved(cache: Path) -> Path:
    (file,) = cache.iterdir()
    return file


def works(cache: Path, machine: dict[str, str]) -> bool:
    return vmlinux(str(cache), **machine).find(Kind.STRUCT, "task") is not None


def test_the_index_is_saved_once_and_used_then(cache: Path, machine: dict[str, str]) -> None:
    assert works(cache, machine)
    first = saved(cache).stat()
    assert works(cache, machine)
    assert saved(cache).stat().st_mtime_ns == first.st_mtime_ns
    assert first.st_mode & 0o777 == 0o600


def test_a_damaged_index_is_built_anew(cache: Path, machine: dict[str, str]) -> None:
    assert works(cache, machine)
    for damage in (b"", b"garbage", saved(cache).read_bytes()[:-8]):
        saved(cache).write_bytes(damage)
        assert works(cache, machine)
        assert len(saved(cache).read_bytes()) > len(damage)


def test_an_index_that_others_may_write_or_that_is_a_link_is_not_read(
    cache: Path, machine: dict[str, str], tmp_path: Path
) -> None:
    assert works(cache, machine)
    planted = tmp_path / "planted"
    wrong = bytearray(saved(cache).read_bytes())
    planted.write_bytes(wrong)
    path = saved(cache)
    path.chmod(0o666)
    assert works(cache, machine)
    assert path.stat().st_mode & 0o777 == 0o600
    path.unlink()
    path.symlink_to(planted)
    assert works(cache, machine)
    assert not path.is_symlink()


def test_a_cache_that_is_missing_is_no_error(cache: Path, machine: dict[str, str]) -> None:
    cache.rmdir()
    assert works(cache, machine)


def test_a_kernel_without_types_says_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="CONFIG_DEBUG_INFO_BTF"):
        vmlinux(blob=str(tmp_path / "none"))


def test_the_cpu_level_is_what_the_kernel_takes() -> None:
    door = FakeDoor()
    assert cpu_level(door) == "v4"
    door.refuse(Command.PROG_LOAD, 22)
    assert cpu_level(door) == "v3"
    assert door.open == {}


def test_lists_of_cpus_are_read_as_the_kernel_writes_them(tmp_path: Path) -> None:
    assert cpus.parse("0-3,8,10-11\n") == (0, 1, 2, 3, 8, 10, 11)
    assert cpus.parse("0\n") == (0,)
    assert cpus.parse("\n") == ()
    (tmp_path / "possible").write_text("0-1\n")
    (tmp_path / "online").write_text("0\n")
    assert cpus.possible(str(tmp_path)) == (0, 1)
    assert cpus.online(str(tmp_path)) == (0,)
    assert len(cpus.possible()) >= len(os.sched_getaffinity(0))


def test_a_kernel_without_notes_has_no_build_id(tmp_path: Path) -> None:
    assert build_id(str(tmp_path / "none")) == ""
    (tmp_path / "empty").write_bytes(b"")
    assert build_id(str(tmp_path / "empty")) == ""
