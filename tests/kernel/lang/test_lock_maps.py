"""Values with locks: what is done under one is seen as a whole."""

import pytest

import skep
from tests.kernel.lang import lock_programs as p
from tests.kernel.lang.lock_programs import Account

PACKET = bytes(20)


def test_what_is_done_under_a_lock() -> None:
    kernel = skep.FakeKernel()
    kernel[p.accounts][1] = Account(total=50)
    with skep.load(p.deposits, attach=False) as live:
        live[p.accounts][1] = Account(total=50)
        run = live.programs["deposits"].test_run
        for verdict in (0, 0, 3):
            assert run(PACKET).retval == p.deposits.py(PACKET, kernel=kernel) == verdict
        assert live[p.accounts][1] == kernel[p.accounts][1] == Account(total=110, steps=3, last=1)
        assert dict(live[p.accounts].items()) == {1: Account(total=110, steps=3, last=1)}
        assert live[p.table][0] == kernel[p.table][0] == Account(steps=6)


def test_python_writes_such_values_as_a_whole_too() -> None:
    with skep.load(p.deposits, attach=False) as live:
        accounts = live[p.accounts]
        accounts.update({1: Account(total=1), 2: Account(total=2)})
        keys, values = accounts.arrays()
        assert dict(zip(keys.tolist(), values["total"].tolist(), strict=True)) == {1: 1, 2: 2}
        assert accounts.pop(2) == Account(total=2)
        assert list(accounts) == [1]


@pytest.mark.parametrize(
    ("declare", "text"),
    [
        (lambda: skep.LruHash(skep.u32, Account, 4), "not of LRU_HASH"),
        (lambda: skep.PerCpuArray(Account, 4), "not of PERCPU_ARRAY"),
        (lambda: skep.Global(Account), r"take Array\(..., 1\)"),
        (lambda: skep.Queue(Account, 4), "not of QUEUE"),
    ],
)
def test_locks_lie_where_the_kernel_takes_them(declare: object, text: str) -> None:
    assert callable(declare)
    with pytest.raises(TypeError, match=text):
        declare()


def test_a_value_has_one_lock() -> None:
    class Two(skep.Struct):
        first: skep.SpinLock
        second: skep.SpinLock

    with pytest.raises(TypeError, match=r"Two.first: a value has one SpinLock at most"):
        skep.Hash(skep.u32, Two, 4)
