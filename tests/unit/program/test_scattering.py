"""Functions that make columns: from the cache, else compiled; and what there is without them."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from skep.base.paths import make_private
from skep.events.record import Record
from skep.kernel.native import Function
from skep.lang.cache import Opened
from skep.lang.private import CacheRefusal, Reason
from skep.lang.struct import StructType
from skep.lang.types import u8
from skep.program.scattering import drain, opened
from tests.unit.events.synthetic import Note, Other, SyntheticRing, note

RINGS = ([Note], [Note, Other], [Note])


class Keeper:
    """Where functions are kept."""

    def __init__(self, cache: str) -> None:
        self.cache, self.refusals = cache, Counter[CacheRefusal]()


@pytest.fixture
def keeper(tmp_path: Path) -> Keeper:
    return Keeper(make_private(os.fspath(tmp_path / "cache")))


def identities(files: Sequence[Opened | None]) -> list[tuple[int, bytes]]:
    """Which files they are, and whose functions; they are closed."""
    found = []
    for file in files:
        assert file is not None
        found.append((os.fstat(file.fd).st_ino, Function(file.fd, file.at).signature))
        os.close(file.fd)
    return found


def test_what_is_missing_is_compiled_and_taken_from_the_cache_later(keeper: Keeper) -> None:
    first = identities(opened(RINGS, keeper))
    assert first[0] == first[2] != first[1]
    assert identities(opened(RINGS, keeper)) == first
    assert len(os.listdir(f"{keeper.cache}/objects")) == 2
    assert not keeper.refusals


def test_an_entry_that_is_corrupt_is_compiled_anew(keeper: Keeper) -> None:
    before = identities(opened([[Note]], keeper))
    (entry,) = Path(keeper.cache, "objects").iterdir()
    entry.write_bytes(entry.read_bytes()[:-1] + b"\0")
    assert identities(opened([[Note]], keeper))[0][1] == before[0][1]
    assert {one.reason for one in keeper.refusals} == {Reason.CORRUPT}


def test_without_a_cache_there_is_no_function() -> None:
    assert opened(RINGS, Keeper("")) == [None] * 3


def test_a_cache_that_may_be_another_s_has_no_function(keeper: Keeper, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(keeper.cache)
    linked = Keeper(os.fspath(tmp_path / "link"))
    assert opened([[Note]], linked) == [None]
    assert {one.reason for one in linked.refusals} == {Reason.LINK}


def test_records_that_are_large_have_none(keeper: Keeper) -> None:
    class Large(Record):
        bytes: u8[1024]

    large: list[StructType] = [Large]
    files = opened([large, [Note]], keeper)
    assert files[0] is None
    identities(files[1:])
    assert len(os.listdir(f"{keeper.cache}/objects")) == 1


@pytest.mark.parametrize("cached", [True, False])
def test_a_ring_is_drained_with_and_without(keeper: Keeper, cached: bool) -> None:  # noqa: FBT001 - both
    ring = SyntheticRing()
    ring.put(note(1, pid=7))
    made = drain(ring, [Note], keeper if cached else Keeper(""))
    (batch,) = made.batches()
    assert batch["pid"].tolist() == [7]
    assert made.native is cached
