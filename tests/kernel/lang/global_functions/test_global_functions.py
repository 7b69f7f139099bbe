"""Global functions do the same in the kernel and as plain Python, and the verifier goes through each once."""

import pytest

import skep
from skep.cli.verdict import verdict
from skep.lang.programs import Program
from tests.kernel.lang.both import live, packets, plain
from tests.kernel.lang.global_functions import programs


@pytest.mark.parametrize("program", programs.ALL, ids=lambda p: p.name)
def test_a_global_function_does_the_same_in_the_kernel_and_as_plain_python(
    program: Program,
) -> None:
    given = list(packets(5, 8))
    assert live(program, given) == plain(program, given)


def test_a_record_that_is_given_to_a_global_function_has_no_bytes_of_others() -> None:
    with skep.load(programs.structs, programs.dirties, attach=False) as loaded:
        for _ in range(100):
            loaded.programs["dirties"].test_run(bytes(64))
            assert len(list(loaded[programs.notes].poll())) == 1
        for packet in packets(7, 3):
            loaded.programs["structs"].test_run(packet)
        found = list(loaded[programs.notes].poll())
        assert len(found) == 3
        assert {note.sum for note in found} == {11}  # type: ignore[attr-defined]


def test_the_verifier_goes_through_a_global_function_once() -> None:
    """At each call it goes through another, eight times more instructions than those of one call."""
    with skep.load(*programs.WEIGHS, attach=False) as loaded:
        inline, called, once = (
            verdict(loaded.programs[one.name]).processed for one in programs.WEIGHS
        )
    assert once * 4 < called
    assert once * 4 < inline
