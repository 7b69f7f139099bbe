"""Global functions do the same in the kernel and as plain Python, and the verifier goes through each once."""

import os
import subprocess
from types import SimpleNamespace

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


@pytest.mark.requires("btf.argument_tags")
def test_objects_of_the_kernel_are_given_to_a_global_function() -> None:
    with skep.load(programs.objects) as live:
        with subprocess.Popen(["true"]) as child:
            child.wait()
        assert live[programs.tasks][child.pid] == (7 << 32) + os.getpid()


def test_plain_python_gives_objects_as_they_are() -> None:
    kernel = skep.FakeKernel()
    task = SimpleNamespace(tgid=9, real_parent=SimpleNamespace(tgid=4))
    programs.objects.py(task, kernel=kernel)
    assert dict(kernel[programs.tasks]) == {9: (7 << 32) + 4}


@pytest.mark.requires("btf.argument_tags", "kind.tracepoint")
def test_the_context_of_a_tracepoint_is_given_to_a_global_function() -> None:
    with skep.load(programs.contexts) as live:
        os.getppid()
        assert live[programs.tasks][os.getpid()] > 1000


@pytest.mark.requires("btf.argument_tags", "iterator.task")
def test_the_context_of_an_iterator_is_given_to_a_global_function() -> None:
    with skep.load(programs.walks) as live:
        live.read(programs.walks)
        assert live[programs.tasks][0] > 0


@pytest.mark.requires("btf.argument_tags")
def test_what_the_verifier_does_not_trust_is_said() -> None:
    with pytest.raises(skep.VerifierError) as caught:
        skep.load(programs.passes_a_field, attach=False)
    assert "this call takes an object that cannot go away; this one can" in str(caught.value)
    assert "parent_of(skep.get_current_task_btf().last_wakee)" in str(caught.value)
