"""Accounts of what was lost."""

from skep.events.losses import LossCounter, RingAccount


def test_attempts_are_delivered_refused_discarded_foreign_or_pending() -> None:
    account = RingAccount(
        "exec", attempts=100, refused=7, misses=3, delivered=80, discarded=2, foreign=1
    )
    assert account.pending == 10
    assert account.losses() == LossCounter("exec", passed=80, lost=11)


def test_what_came_since_an_earlier_account() -> None:
    now, before = LossCounter("q", 10, 3), LossCounter("q", 4, 1)
    assert now.since(before) == LossCounter("q", 6, 2)
