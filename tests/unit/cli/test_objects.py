"""An object is chosen by id or name, and said to be held by those that hold it."""

from typing import NamedTuple

import pytest

from skep.base.errors import BadInput
from skep.cli.objects import Holders, chosen
from skep.kernel.stats import Holder


class One(NamedTuple):
    id: int
    name: str


KNOWN = [One(1, "count"), One(2, "ring"), One(3, "ring"), One(4, "")]


def test_an_id_or_a_name_that_one_object_has_chooses_it() -> None:
    assert chosen("map", "count", KNOWN) == KNOWN[0]
    assert chosen("map", "4", KNOWN) == KNOWN[3]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("ring", "take an id: 2, 3"),
        ("coumt", "did you mean 'count'?"),
        ("7", "`skep map` lists them"),
        ("nothing_like_it", "`skep map` lists them"),
    ],
)
def test_a_word_that_chooses_none_or_several_is_answered_with_what_to_say(
    word: str, said: str
) -> None:
    with pytest.raises(BadInput) as refused:
        chosen("map", word, KNOWN)
    assert said in str(refused.value)


def test_holders_are_told_once_each_and_of_many_the_first() -> None:
    found = [Holder("map", 1, pid, f"p{pid}", fd) for pid in (9, 8, 7, 6, 5) for fd in (3, 4)]
    held = Holders("map", [*found, Holder("prog", 2, 1, "init", 3)])
    assert held.text(1) == "p5[5], p6[6], p7[7] and 2 more"
    assert held.pids(1) == [5, 6, 7, 8, 9]
    assert held.text(2) == "-"
