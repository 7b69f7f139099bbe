"""An object is chosen by id or name, and said to be held by those that hold it."""

from typing import NamedTuple

import click
import pytest

from skep.base.errors import BadInput
from skep.cli.objects import Completion, Holders, chosen, completing, or_files
from skep.kernel.bpf import Door
from skep.kernel.keeping import Pin
from skep.kernel.stats import Holder


class One(NamedTuple):
    id: int
    name: str


KNOWN = [One(1, "count"), One(2, "ring"), One(3, "ring"), One(4, "")]


def test_an_id_or_a_name_that_one_object_has_chooses_it() -> None:
    assert chosen("map", "count", KNOWN) == KNOWN[0]
    assert chosen("map", "4", KNOWN) == KNOWN[3]


def test_a_name_is_found_by_what_the_kernel_keeps_of_it() -> None:
    known = [One(1, "on_connection_s"), One(2, "on_connection")]
    assert chosen("prog", "on_connection_state", known) == known[0]
    assert chosen("prog", "on_connection", known) == known[1]


def test_names_are_completed_as_far_as_they_may_be_seen() -> None:
    context = click.Context(click.Command("map"))
    word = click.Argument(["name"])

    def offered(complete: Completion, begun: str) -> list[tuple[str, str]]:
        return [(one.value, one.type) for one in complete(context, word, begun)]

    complete = completing(lambda _: KNOWN)
    assert offered(complete, "ri") == [("ring", "plain")]
    assert offered(complete, "3") == [("3", "plain")]
    assert offered(complete, "x") == []
    assert offered(or_files(complete), "ri") == [("ring", "plain")]
    assert offered(or_files(complete), "x") == [("x", "file")]

    def refuses(_: Door) -> list[One]:
        raise PermissionError

    assert completing(refuses)(context, word, "") == []


def test_pins_hold_an_object_beside_processes() -> None:
    held = Holders(
        "map",
        [Holder("map", 1, 9, "agent", 3)],
        [Pin("map", 1, "/bpf/x"), Pin("map", 2, "/bpf/y"), Pin("prog", 1, "/bpf/p")],
    )
    assert held.text(1) == "agent[9], /bpf/x"
    assert (held.pins(1), held.pins(2), held.pins(3)) == (["/bpf/x"], ["/bpf/y"], [])


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
    held = Holders("map", [*found, Holder("prog", 2, 1, "init", 3)], [])
    assert held.text(1) == "p5[5], p6[6], p7[7] and 2 more"
    assert held.pids(1) == [5, 6, 7, 8, 9]
    assert held.text(2) == "-"
