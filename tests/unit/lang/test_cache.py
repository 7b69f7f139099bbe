import errno
import os
import stat
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skep.lang.cache import LARGEST, Cache
from skep.lang.private import CacheRefusal, Reason

KEY, OTHER = bytes(range(32)), bytes(range(32, 64))
PAYLOAD = b"a program" * 100
Change = Callable[[Path], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "objects"


@pytest.fixture
def cache(folder: Path) -> Cache:
    """A cache with an entry."""
    made = Cache(str(folder))
    assert made.put(KEY, PAYLOAD)
    return made


def refusal(cache: Cache) -> CacheRefusal:
    """The one thing that was not used, once."""
    ((found, count),) = cache.refusals.items()
    assert count == 1
    return found


def entry(folder: Path, key: bytes = KEY) -> Path:
    return folder / key.hex()


def test_what_was_put_is_got(cache: Cache, folder: Path) -> None:
    assert cache.get(KEY) == PAYLOAD
    assert Cache(str(folder)).get(KEY) == PAYLOAD
    assert not cache.refusals


def test_an_entry_is_opened_as_the_file_that_was_checked(cache: Cache, folder: Path) -> None:
    opened = cache.open(KEY)
    assert opened is not None
    try:
        assert cache.put(KEY, b"another")
        assert os.pread(opened.fd, len(PAYLOAD), opened.at) == PAYLOAD
        assert not os.get_inheritable(opened.fd)
    finally:
        os.close(opened.fd)
    assert cache.open(OTHER) is None
    assert not cache.refusals


def test_a_corrupt_entry_is_not_opened(cache: Cache, folder: Path) -> None:
    corrupt(entry(folder))
    assert cache.open(KEY) is None
    assert refusal(cache).reason is Reason.CORRUPT


def test_nobody_else_can_read_or_write_it(cache: Cache, folder: Path) -> None:
    for path, mode in ((folder.parent, 0o700), (folder, 0o700), (entry(folder), 0o600)):
        assert stat.S_IMODE(path.stat().st_mode) == mode


def test_what_was_not_put_is_missing_without_a_refusal(cache: Cache, tmp_path: Path) -> None:
    assert cache.get(OTHER) is None
    nowhere = Cache(str(tmp_path / "nowhere" / "at" / "all"))
    assert nowhere.get(KEY) is None
    assert not cache.refusals
    assert not nowhere.refusals
    assert not (tmp_path / "nowhere").exists()


def test_an_entry_is_replaced(cache: Cache) -> None:
    assert cache.put(KEY, b"newer")
    assert cache.get(KEY) == b"newer"


def test_a_key_is_a_digest(cache: Cache) -> None:
    with pytest.raises(ValueError, match="32 bytes, not 3"):
        cache.get(b"abc")


def corrupt(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def swap(path: Path) -> None:
    """A valid entry of another program under this key."""
    other = Cache(str(path.parent))
    assert other.put(OTHER, b"another program")
    entry(path.parent, OTHER).rename(path)


def link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def hard_link(path: Path) -> None:
    path.with_name("second").hardlink_to(path)


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def huge(path: Path) -> None:
    os.truncate(path, LARGEST + 1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (corrupt, Reason.CORRUPT),
        (truncate, Reason.CORRUPT),
        (empty, Reason.CORRUPT),
        (swap, Reason.SWAPPED),
        (link, Reason.LINK),
        (hard_link, Reason.KIND),
        (pipe, Reason.KIND),
        (directory, Reason.KIND),
        (huge, Reason.LARGE),
        (lambda path: path.chmod(0o620), Reason.WRITABLE),
        (lambda path: path.chmod(0o602), Reason.WRITABLE),
    ],
)
def test_an_entry_that_is_not_ours_is_refused(
    cache: Cache, folder: Path, change: Change, reason: Reason
) -> None:
    change(entry(folder))
    assert cache.get(KEY) is None
    found = refusal(cache)
    assert (found.place, found.reason) == (str(entry(folder)), reason)
    assert str(found).startswith(f"{entry(folder)} is not used: {reason.value}")


@pytest.mark.parametrize("change", [corrupt, truncate, swap, link, pipe])
def test_an_entry_that_was_refused_is_replaced_at_the_next_put(
    cache: Cache, folder: Path, change: Change
) -> None:
    change(entry(folder))
    assert cache.get(KEY) is None
    assert cache.put(KEY, PAYLOAD)
    assert cache.get(KEY) == PAYLOAD
    assert entry(folder).lstat().st_mode == stat.S_IFREG | 0o600


def linked(path: Path) -> None:
    path.rename(path.with_name("moved"))
    path.symlink_to("moved")


def linked_above(path: Path) -> None:
    linked(path.parent)


def replaced(path: Path) -> None:
    path.rename(path.with_name("moved"))
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (linked, Reason.LINK),
        (linked_above, Reason.LINK),
        (replaced, Reason.KIND),
        (lambda path: path.chmod(0o770), Reason.WRITABLE),
        (lambda path: path.chmod(0o707), Reason.WRITABLE),
    ],
)
def test_a_directory_that_is_not_ours_is_neither_read_nor_written(
    cache: Cache, folder: Path, change: Change, reason: Reason
) -> None:
    change(folder)
    before = sorted(folder.parent.rglob("*"))
    assert cache.get(KEY) is None
    assert refusal(cache).reason is reason
    assert not cache.put(OTHER, PAYLOAD)
    assert sum(cache.refusals.values()) == 2
    assert sorted(folder.parent.rglob("*")) == before


def owned_by_another(which: Callable[[int], bool]) -> Callable[[int], os.stat_result]:
    """fstat, as it would be had another user made what ``which`` tells."""

    def fstat(fd: int) -> os.stat_result:
        found = os.fstat(fd)
        fields = list(found)
        if which(found.st_mode):
            fields[4] = found.st_uid + 1
        return os.stat_result(fields)

    return fstat


@pytest.mark.parametrize("which", [stat.S_ISREG, stat.S_ISDIR])
def test_what_another_user_planted_is_refused(
    cache: Cache, folder: Path, which: Callable[[int], bool]
) -> None:
    planted = Cache(str(folder), stat=owned_by_another(which))
    assert planted.get(KEY) is None
    found = refusal(planted)
    assert (found.reason, found.detail) == (Reason.OWNER, f"uid {os.geteuid() + 1}")


def failing(code: int, after: int = 0) -> Callable[[int, memoryview], int]:
    """write, on a disk that takes ``after`` bytes."""
    left = [after]

    def write(fd: int, data: memoryview) -> int:
        if not left[0]:
            raise OSError(code, os.strerror(code))
        written = os.write(fd, data[: left[0]])
        left[0] -= written
        return written

    return write


@pytest.mark.parametrize(
    ("code", "reason"),
    [(errno.ENOSPC, Reason.FULL), (errno.EDQUOT, Reason.FULL), (errno.EIO, Reason.DENIED)],
)
@pytest.mark.parametrize("after", [0, 50])
def test_a_disk_that_takes_no_more_leaves_what_was_there(
    cache: Cache, folder: Path, code: int, reason: Reason, after: int
) -> None:
    full = Cache(str(folder), write=failing(code, after))
    assert not full.put(KEY, b"newer")
    assert (refusal(full).reason, refusal(full).detail) == (reason, os.strerror(code))
    assert os.listdir(folder) == [KEY.hex()]
    assert cache.get(KEY) == PAYLOAD


def test_short_writes_are_continued(folder: Path) -> None:
    slow = Cache(str(folder), write=lambda fd, data: os.write(fd, data[:7]))
    assert slow.put(KEY, PAYLOAD)
    assert slow.get(KEY) == PAYLOAD


def test_a_place_that_cannot_be_written_is_told() -> None:
    nowhere = Cache("/proc/skep")
    assert not nowhere.put(KEY, PAYLOAD)
    assert refusal(nowhere).place.startswith("/proc/skep")


def test_what_is_larger_than_any_entry_is_not_kept(cache: Cache) -> None:
    assert not cache.put(OTHER, bytes(LARGEST))
    assert refusal(cache).reason is Reason.LARGE


def test_what_was_read_least_recently_goes_first(folder: Path) -> None:
    small = Cache(str(folder), limit=10_000)
    keys = [bytes([number]) * 32 for number in range(9)]
    for age, key in enumerate(keys):
        assert small.put(key, bytes(1000))
        os.utime(entry(folder, key), (1000 + age, 1000 + age))
    assert small.get(keys[0]) == bytes(1000)
    assert small.put(OTHER, bytes(1000))
    kept = {path.name for path in folder.iterdir()}
    assert {keys[0].hex(), OTHER.hex(), keys[8].hex()} <= kept
    assert not {keys[1].hex(), keys[2].hex()} & kept
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 7_500


def test_what_a_dead_writer_left_is_taken_away_in_the_end(cache: Cache, folder: Path) -> None:
    for name, time in ((".new-old", 1000), (".new-young", None)):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, (time, time) if time else None)
    assert cache.put(OTHER, PAYLOAD)
    assert not (folder / ".new-old").exists()
    assert (folder / ".new-young").exists()


def test_an_entry_that_is_replaced_while_it_is_opened_is_a_miss(cache: Cache, folder: Path) -> None:
    assert cache.put(OTHER, PAYLOAD)

    def replaced(fd: int) -> os.stat_result:
        if stat.S_ISREG(os.fstat(fd).st_mode):
            Cache(str(folder)).put(OTHER, PAYLOAD)
        return os.fstat(fd)

    reader = Cache(str(folder), stat=replaced)
    assert reader.get(OTHER) is None
    assert not reader.refusals
    assert cache.get(OTHER) == PAYLOAD


def write_many(folder: str, number: int) -> bool:
    cache = Cache(folder, limit=40_000)
    payload = bytes([number]) * 3000
    for turn in range(100):
        if not cache.put(bytes([turn % 12]) * 32, payload):
            return False
        got = cache.get(bytes([(turn * 7) % 12]) * 32)
        if got is not None and got != got[:1] * 3000:
            return False
    return not cache.refusals


def test_writers_at_the_same_time_do_not_disturb_each_other(folder: Path) -> None:
    with get_context("spawn").Pool(4) as pool:
        assert (
            pool.starmap(write_many, [(str(folder), number) for number in range(4)]) == [True] * 4
        )
    assert all(len(name) == 64 for name in os.listdir(folder))


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_no_change_of_an_entry_is_overlooked(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp() / "fuzz"
    cache = Cache(str(folder))
    assert cache.put(KEY, PAYLOAD)
    original = entry(folder).read_bytes()
    mutated = bytearray(original)
    for _ in range(data.draw(st.integers(1, 3))):
        mutated[data.draw(st.integers(0, len(mutated) - 1))] = data.draw(st.integers(0, 255))
    size = data.draw(st.integers(0, len(mutated))) if data.draw(st.booleans()) else len(mutated)
    entry(folder).write_bytes(mutated[:size])
    same = mutated[:size] == original
    assert cache.get(KEY) == (PAYLOAD if same else None)
    assert sum(cache.refusals.values()) == (0 if same else 1)
