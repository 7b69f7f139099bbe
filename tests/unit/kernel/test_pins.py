"""A directory of pins is only made where there is a bpffs, and only its own names are touched."""

from pathlib import Path

import pytest

from skep.base.errors import BadInput, Unsupported
from skep.kernel.pins import Pins, mounts_of

MOUNT = "31 23 0:28 / {} rw,relatime shared:5 - {} none rw\n"


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "mountinfo"
    path.write_text(
        MOUNT.format("/sys/fs/cgroup", "cgroup2") + MOUNT.format(f"{tmp_path}/bpf", "bpf")
    )
    return str(path)


def test_mounts_are_found_by_kind(table: str, tmp_path: Path) -> None:
    assert mounts_of("bpf", table) == [f"{tmp_path}/bpf"]
    assert mounts_of("tracefs", table) == []


def test_a_directory_is_made_for_us_alone(table: str, tmp_path: Path) -> None:
    pins = Pins(f"{tmp_path}/bpf/skep/default", table=table)
    pins.ensure()
    pins.ensure()
    made = tmp_path / "bpf/skep/default"
    assert made.stat().st_mode & 0o777 == 0o700


def test_without_a_bpffs_nothing_is_made_and_the_command_is_named(
    table: str, tmp_path: Path
) -> None:
    with pytest.raises(Unsupported, match="mount -t bpf bpf /sys/fs/bpf"):
        Pins(f"{tmp_path}/elsewhere/skep", table=table).ensure()
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("name", ["", "a.b", "../x", "a/b", "x y"])
def test_a_name_that_a_bpffs_does_not_take_is_bad_input(name: str) -> None:
    with pytest.raises(BadInput, match="cannot name a pin"):
        Pins("/x").path(name)


def test_pins_are_listed_removed_and_cleared(tmp_path: Path) -> None:
    pins = Pins(f"{tmp_path}/pins")
    assert pins.names() == []
    (tmp_path / "pins").mkdir()
    for name in ("b", "a-1", "c_2"):
        Path(pins.path(name)).touch()
    assert pins.names() == ["a-1", "b", "c_2"]
    assert pins.remove("b")
    assert not pins.remove("b")
    assert pins.clear() == ["a-1", "c_2"]
    assert not (tmp_path / "pins").exists()
