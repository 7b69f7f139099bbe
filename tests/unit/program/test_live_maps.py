"""Where pinned maps lie, and what is said of maps that nobody uses."""

import pytest

import skep
from skep.base.errors import BadInput
from skep.program.live_maps import LiveMaps, pins_of


class State(skep.Struct):
    hits: skep.u64


@pytest.mark.parametrize(
    ("instance", "directory"),
    [("", "/sys/fs/bpf/skep/default"), ("lab", "/sys/fs/bpf/skep/lab")],
)
def test_pins_are_those_of_the_instance(
    monkeypatch: pytest.MonkeyPatch, instance: str, directory: str
) -> None:
    monkeypatch.setenv("SKEP_INSTANCE", instance)
    found = pins_of("")
    assert found is not None
    assert found.directory == directory


def test_pins_lie_where_they_are_wanted_or_nowhere() -> None:
    found = pins_of("/somewhere/else")
    assert found is not None
    assert found.directory == "/somewhere/else"
    assert pins_of(None) is None


def test_an_instance_that_cannot_be_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKEP_INSTANCE", "../up")
    with pytest.raises(BadInput, match="cannot name an instance"):
        pins_of("")


def test_a_map_that_no_program_uses_is_not_there() -> None:
    held = LiveMaps(lambda program: program)
    with pytest.raises(KeyError, match="no program that is loaded here uses this Hash"):
        held.face(skep.Hash(skep.u32, skep.u32, 4))
    assert not held.unpin(skep.Hash(skep.u32, skep.u32, 4, pin="x"))
    assert list(held) == []


def test_a_first_value_for_what_no_program_uses_is_refused() -> None:
    held = LiveMaps(lambda program: program, initial={skep.Global(State): State(1)})
    with pytest.raises(BadInput, match="for a Global that no program here uses"):
        held.unused()
