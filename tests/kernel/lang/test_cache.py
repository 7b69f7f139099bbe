"""What the cache's unit tests only pretend: another user's files, and a disk that is full."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from skep.lang.cache import Cache
from skep.lang.private import Reason

KEY = bytes(32)
NOBODY = 65534

FILL = """
import sys
from skep.lang.cache import Cache
cache = Cache(sys.argv[1] + "/objects")
assert cache.put(bytes(32), bytes(4000))
assert not cache.put(bytes([1]) * 32, bytes(200_000))
assert cache.get(bytes(32)) == bytes(4000)
print(*(refusal.reason.name for refusal in cache.refusals))
"""


@pytest.mark.parametrize(
    "planted",
    [lambda folder: folder / KEY.hex(), lambda folder: folder],
    ids=["entry", "directory"],
)
def test_what_another_user_owns_is_refused(tmp_path: Path, planted: Callable[[Path], Path]) -> None:
    cache = Cache(str(tmp_path / "objects"))
    assert cache.put(KEY, b"a program")
    os.chown(planted(tmp_path / "objects"), NOBODY, -1)
    assert cache.get(KEY) is None
    ((refusal, _),) = cache.refusals.items()
    assert (refusal.reason, refusal.detail) == (Reason.OWNER, f"uid {NOBODY}")


def test_a_full_disk_keeps_what_it_has(tmp_path: Path) -> None:
    mount = 'mount -t tmpfs -o size=64k,mode=0700 none "$1" && exec "$2" -c "$3" "$1"'
    command = ["unshare", "-m", "sh", "-c", mount, "sh", str(tmp_path), sys.executable, FILL]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("FULL\n", "")
