"""Objects are looked at where they are linked, and a tree is searched."""

import pytest

import skep
from tests.kernel.lang.both import Given
from tests.kernel.lang.searching import programs as p

ITEMS = [(7, 70), (3, 30), (9, 90), (1, 10), (5, 50), (8, 80)]


def given(key: int, value: int = 0) -> bytes:
    return Given(a=value, b=key).to_bytes()


@pytest.mark.requires("kfunc.bpf_rbtree_root")
def test_a_tree_is_searched_and_the_ends_of_a_list_are_seen() -> None:
    kernel = skep.FakeKernel()
    with skep.load(p.puts, p.finds, attach=False) as live:
        run = live.programs["finds"].test_run
        assert run(given(3)).retval == p.finds.py(given(3), kernel=kernel) == 0
        for key, value in ITEMS:
            assert live.programs["puts"].test_run(given(key, value)).retval == 2
            assert p.puts.py(given(key, value), kernel=kernel) == 2
        for key, value in [*ITEMS, (4, 0), (100, 0)]:
            plain = bytearray(given(key))
            assert p.finds.py(plain, kernel=kernel) == 7 << 8 | 8
            done = run(given(key))
            assert (done.retval, done.data) == (7 << 8 | 8, bytes(plain))
            assert int.from_bytes(done.data[64:72], "little") == value
