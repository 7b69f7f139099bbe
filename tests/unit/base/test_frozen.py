"""Frozen classes behave as frozen and slotted dataclasses do, and have nothing compiled before it is used."""

import copy
import inspect
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, is_dataclass, replace
from typing import Any

import pytest

from skep.base.frozen import distinct, frozen


@frozen
class Point:
    """A value."""

    x: int
    y: int = 2
    names: list[str] = field(default_factory=list)


@frozen
class Deep(Point):
    """One that inherits fields, and another default of one."""

    y: int = 5
    z: int = 3


@dataclass(frozen=True, slots=True)
class Known:
    """What ``Deep`` is to be like."""

    x: int
    y: int = 5
    names: list[str] = field(default_factory=list)
    z: int = 3


@frozen
class Empty:
    """No field."""


@distinct
class Node:
    """One of its own."""

    line: int


@distinct
class Leaf(Node):
    """With a field more."""

    text: str = ""


@frozen
class Told:
    """A field that says something of itself, and is to be given."""

    x: int = field(metadata={"unit": "ns"})


@frozen
class Own:
    """Its methods go before those that are made."""

    x: int

    def __repr__(self) -> str:
        return "mine"

    def doubled(self) -> int:
        return 2 * self.x


def test_fields_are_given_by_place_and_by_name_and_have_defaults() -> None:
    one = Deep(1, names=["a"])
    assert (one.x, one.y, one.names, one.z) == (1, 5, ["a"], 3)
    assert Point(1).y == 2
    assert Point(1).names is not Point(1).names


@pytest.mark.parametrize(
    ("given", "named"), [((), {}), ((1, 2, [], 4, 5), {}), ((1,), {"x": 1}), ((1,), {"w": 1})]
)
def test_wrong_arguments_are_refused_as_by_a_dataclass(
    given: tuple[Any, ...], named: dict[str, Any]
) -> None:
    with pytest.raises(TypeError) as ours:
        Deep(*given, **named)
    with pytest.raises(TypeError) as theirs:
        Known(*given, **named)
    assert str(ours.value) == str(theirs.value).replace("Known", "Deep")


def test_values_are_equal_by_their_fields_and_of_one_class() -> None:
    assert Point(1) == Point(1)
    assert Point(1) != Point(1, 3)
    assert Deep(1) != Point(1, 5)
    assert Empty() == Empty()
    assert len({Own(1), Own(1), Own(2)}) == 2
    assert hash(Empty()) == hash(Empty())
    with pytest.raises(TypeError, match="unhashable type: 'list'"):
        hash(Point(1))


def test_what_is_distinct_is_equal_to_itself_alone() -> None:
    one = Leaf(1, "a")
    assert one == one  # noqa: PLR0124 - that is what is asked
    assert one != Leaf(1, "a")
    assert len({one, Leaf(1, "a")}) == 2


def test_no_field_is_set_deleted_or_added() -> None:
    one = Point(1)
    for name in ("x", "other"):
        with pytest.raises(FrozenInstanceError, match=f"cannot assign to field '{name}'"):
            setattr(one, name, 1)
        with pytest.raises(FrozenInstanceError, match=f"cannot delete field '{name}'"):
            delattr(one, name)
    assert not hasattr(Deep(1), "__dict__")


def test_the_functions_of_dataclasses_take_it() -> None:
    one = Deep(1, names=["a"])
    assert is_dataclass(one)
    assert replace(one, x=7) == Deep(7, names=["a"])
    assert asdict(one) == asdict(Known(1, names=["a"]))
    ours, theirs = ([(f.name, f.default, f.type) for f in fields(of)] for of in (Deep, Known))
    assert ours == theirs
    assert replace(Leaf(1, "a"), line=2).text == "a"
    assert fields(Told)[0].metadata == {"unit": "ns"}


def test_a_field_without_a_default_is_to_be_given_whatever_it_says_of_itself() -> None:
    assert Told(1).x == 1
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        Told()  # type: ignore[call-arg]


def test_it_is_shown_described_copied_and_matched_as_a_dataclass() -> None:
    one, other = Deep(1, names=["a"]), Known(1, names=["a"])
    assert repr(one) == repr(other).replace("Known", "Deep")
    assert str(inspect.signature(Deep)) == str(inspect.signature(Known))
    assert Deep.__init__.__qualname__ == "Deep.__init__"
    assert copy.copy(one) == one
    match one:
        case Point(x, y):
            assert (x, y) == (1, 5)


def test_its_own_methods_go_before_those_that_are_made() -> None:
    assert repr(Own(2)) == "mine"
    assert Own(2).doubled() == 4


def test_a_class_that_is_not_frozen_itself_may_go_on_from_one() -> None:
    class Longer(Own):
        def __init__(self, x: int, more: int) -> None:
            super().__init__(x)
            object.__setattr__(self, "more", more)

    one = Longer(1, 2)
    assert (one.x, one.more) == (1, 2)  # type: ignore[attr-defined]
    assert Longer(3, 4).x == 3


def test_methods_are_compiled_when_they_are_first_called() -> None:
    @frozen
    class Fresh:
        x: int

    assert not inspect.isfunction(vars(Fresh)["__init__"])
    Fresh(1)
    assert inspect.isfunction(vars(Fresh)["__init__"])
    assert not inspect.isfunction(vars(Fresh)["__eq__"])
