"""Locks whose taking fails where it would stand still."""

import pytest

import skep
from tests.kernel.lang.resilient import programs as p
from tests.kernel.lang.resilient.programs import Account


@pytest.mark.requires("kfunc.bpf_res_spin_lock")
def test_two_locks_are_held_and_one_is_not_taken_twice() -> None:
    with skep.load(p.moves, p.takes_twice, attach=False) as live:
        live[p.accounts][0] = Account(20)
        assert live.programs["moves"].test_run(bytes(64)).retval == 2
        assert [one.amount for one in live[p.accounts].values()] == [15, 5]
        assert live.programs["takes_twice"].test_run(bytes(64)).retval == 2
        assert live[p.accounts][0].amount == 16


def test_plain_python_takes_fakes() -> None:
    helpers = {"bpf_res_spin_lock": lambda _: 0, "bpf_res_spin_unlock": lambda _: None}
    kernel = skep.FakeKernel(helpers=helpers)
    kernel[p.accounts][0] = Account(9)
    assert p.moves.py(bytes(64), kernel=kernel) == 2
    assert kernel[p.accounts][1].amount == 5
