"""Descriptors for the agent: a soft limit is raised as far as it must, a hard one is respected and told."""

import pytest

from skep.agent.descriptors import ENOUGH, raised
from skep.api import server
from skep.base.errors import KernelError


def test_a_low_soft_limit_is_raised_and_a_higher_one_stays() -> None:
    assert raised(20, ENOUGH) == ENOUGH
    assert raised(20, 1 << 20) == ENOUGH
    assert raised(1024, 1 << 20) == 1024


def test_a_hard_limit_that_is_too_low_is_told_with_what_to_do() -> None:
    with pytest.raises(KernelError) as caught:
        raised(40, 100)
    assert str(caught.value) == (
        "open files: at most 100 are allowed, and the agent needs 256"
        " (`ulimit -n 256`, or LimitNOFILE=256 of a service)"
    )


def test_its_clients_cannot_take_all_of_them() -> None:
    of_clients = 2 * (server.MOST_CONNECTIONS + server.MOST_REFUSED) + server.WAITING
    assert ENOUGH - of_clients > 80
