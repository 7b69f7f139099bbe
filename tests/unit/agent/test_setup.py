"""Steps of the start: what is owned, what is told of the cache and of features, a kernel that refuses everything."""

import os
from collections import Counter

import pytest

from skep.agent import processes
from skep.agent.powers import Power, Refusal
from skep.agent.setup import cache_warnings, owned, start_programs
from skep.base.config import Config
from skep.base.errors import Unsupported
from skep.lang.private import CacheRefusal, Reason
from skep.program.machine import Machine
from tests.unit.agent.fake_engine import engine

REFUSED = Power("exec", ("exec",), (Refusal("tp_btf x", "a policy of this host refuses it"),))


def refusal(place: str, reason: Reason = Reason.FULL, detail: str = "ENOSPC") -> CacheRefusal:
    return CacheRefusal(place, reason, detail)


def test_what_is_owned_is_written_with_ids_and_names() -> None:
    made = engine()
    found = owned(made)
    made.receiver.close()
    assert found.agent == processes.identity(os.getpid())
    assert found.children == ()
    assert (found.programs, found.maps) == (((3, "on_exec"),), ((4, "lifecycle"),))
    assert found.links == ((9, "exec"),)


def test_a_kernel_that_refuses_everything_is_unsupported_and_says_why() -> None:
    with pytest.raises(Unsupported) as caught:
        start_programs([REFUSED], Machine(""), Config())
    text = "any of the agent's programs: tp_btf x: a policy of this host refuses it"
    assert str(caught.value) == f"this kernel does not offer {text}"


def test_many_files_of_the_cache_with_one_trouble_are_one_warning() -> None:
    found = [refusal(f"/c/objects/{number}") for number in range(5)]
    assert cache_warnings(Counter(found)) == [
        "/c/objects/0 is not used: the disk is full (ENOSPC), nor are 4 more"
    ]
    other = refusal("/c/objects", Reason.OWNER, "uid 7")
    assert cache_warnings([found[0], other]) == [str(found[0]), str(other)]
    assert cache_warnings([]) == []
