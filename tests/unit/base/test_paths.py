"""Names of instances, and the directories that follow from them."""

import os
from pathlib import Path

import pytest

from skep.base.errors import BadInput, Conflict
from skep.base.paths import cache_directory, check_instance, instance_paths, make_private


def test_the_paths_of_an_instance() -> None:
    paths = instance_paths("lab-1", "/c")
    assert paths.run == "/run/skep/lab-1"
    assert paths.pins == "/sys/fs/bpf/skep/lab-1"
    assert paths.agent_socket == "/run/skep/lab-1/agent.sock"
    assert (paths.lock, paths.owned, paths.cache) == (
        "/run/skep/lab-1/lock",
        "/run/skep/lab-1/owned.json",
        "/c",
    )


@pytest.mark.parametrize("name", ["a", "0", "default", "a" * 32, "a-b"])
def test_good_names(name: str) -> None:
    assert check_instance(name) == name


@pytest.mark.parametrize("name", ["", "A", "a.b", "../x", "a/b", "-a", "a-", "a" * 33, "a\n", "ä"])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(BadInput, match=r"--instance: .* cannot name an instance"):
        check_instance(name, "--instance")


def test_the_cache_of_root_is_not_in_a_home() -> None:
    assert cache_directory(0, "/root", "/tmp/x") == "/var/cache/skep"


def test_the_cache_of_a_user_follows_xdg() -> None:
    assert cache_directory(1000, "/home/u") == "/home/u/.cache/skep"
    assert cache_directory(1000, "/home/u", "/x") == "/x/skep"
    assert cache_directory(1000, "/home/u", "relative") == "/home/u/.cache/skep"


def test_a_private_directory_is_made_once_and_kept(tmp_path: Path) -> None:
    path = str(tmp_path / "a" / "b")
    assert make_private(path) == path
    assert os.stat(path).st_mode & 0o777 == 0o700
    assert make_private(path) == path


def test_a_directory_that_others_may_write_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o770)
    with pytest.raises(Conflict, match="others may write"):
        make_private(str(tmp_path))


def test_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(0o700)
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(Conflict, match="not a directory"):
        make_private(str(tmp_path / "link"))


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    with pytest.raises(Conflict, match="not a directory"):
        make_private(str(tmp_path / "f"))
