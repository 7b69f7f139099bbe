"""Users by uid, from a file that changes."""

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from skep.node.users import Users, parse_passwd

FILE = b"""\
root:x:0:0:root:/root:/bin/bash
toor:x:0:0::/root:/bin/sh
# comment
www-data:x:33:33::/var/www:/usr/sbin/nologin
broken
+::::::
:x:5:5:::
j\xf6rg:x:1000:1000:::
bad:x:-2:1:::
"""


def test_the_first_name_of_a_uid_counts() -> None:
    assert parse_passwd(FILE) == {0: "root", 33: "www-data", 1000: "j\\xf6rg"}


@given(st.binary(max_size=200))
def test_any_file_is_read(data: bytes) -> None:
    assert all(isinstance(name, str) for name in parse_passwd(data).values())


def test_a_change_is_seen_at_the_next_refresh(tmp_path: Path) -> None:
    path = tmp_path / "passwd"
    path.write_bytes(b"a:x:5:5:::\n")
    users = Users(str(path))
    assert users.name(5) == "a"
    assert users.refresh() is False
    fresh = tmp_path / "passwd.new"
    fresh.write_bytes(b"b:x:5:5:::\n")
    os.replace(fresh, path)
    assert users.name(5) == "a"
    assert users.refresh() is True
    assert users.name(5) == "b"


def test_a_file_that_is_not_there_names_nobody(tmp_path: Path) -> None:
    path = tmp_path / "passwd"
    users = Users(str(path))
    assert users.name(0) is None
    assert users.refresh() is False
    path.write_bytes(b"a:x:5:5:::\n")
    assert users.refresh() is True
    path.unlink()
    assert users.refresh() is True
    assert users.name(5) is None
