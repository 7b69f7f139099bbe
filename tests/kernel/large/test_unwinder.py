"""Stacks of processes that are sampled: whole, and what is known of them is there."""

import os
import subprocess
import time
from collections import Counter
from collections.abc import Iterator

import pytest

import skep
from examples.large.unwinder import state
from examples.large.unwinder.program import on_sample
from examples.large.unwinder.state import DEPTH, End
from examples.large.unwinder.unwinder import Frame, Sampled, Unwinder
from skep.base.errors import BadInput
from skep.cli.verdict import verdict
from skep.program.live import Live
from tests.kernel.large.unwound import (
    HANDLES,
    HASHES,
    LATER,
    LOADS,
    NESTED,
    READS,
    SAMPLES,
    WAITS,
    WORKS,
    begun,
    gathered,
    running,
    sampled,
    tell,
    told,
    total,
)

SIZE = 383
TOLERANCE = 0.1
VERIFIED = 30_000
NESTING = 4
CALLS = {"open64", "__open64_2", "write", "close", "fcntl64", "fcntl", "dup2"}
INTERPRETER = "the tables of an interpreter take half a minute there"


@pytest.fixture(scope="module")
def live() -> Iterator[Live]:
    with skep.load(on_sample) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def unwinder(live: Live) -> Unwinder:
    return Unwinder(live)


@pytest.fixture(scope="module")
def warm(unwinder: Unwinder) -> Iterator[Unwinder]:
    """It watches an interpreter that does nothing, so that the tables that all of them have are made once."""
    with running(WAITS) as child:
        unwinder.watch(child.pid)
        yield unwinder
        unwinder.forget(child.pid)


def names(one: Sampled) -> list[str]:
    return [str(frame) for frame in one.frames]


def library(frame: Frame) -> str:
    return os.path.basename(frame.file.binary.path) if frame.file else ""


def whole(one: Sampled, child: "subprocess.Popen[str]") -> bool:
    """Whether a stack ends in the program itself, which libc's start called, or in what libc calls that."""
    last = one.frames[-1].file
    return (
        one.end == End.COMPLETE
        and last is not None
        and last.binary.path == os.readlink(f"/proc/{child.pid}/exe")
        and "__libc_start_main" in names(one)
    )


def test_a_shell_is_walked_up_from_its_own_code_and_from_calls_of_the_kernel(
    unwinder: Unwinder,
) -> None:
    with begun("sh", "-c", "echo; read line; while :; do echo x > /dev/null; done") as child:
        unwinder.watch(child.pid)
        tell(child)
        found = gathered(unwinder, child.pid, in_calls_and_outside)
        assert all(whole(one, child) for one in found), found
        unwinder.forget(child.pid)


def in_calls_and_outside(stacks: list[Sampled]) -> bool:
    inner = {names(one)[0] for one in stacks}
    return bool(inner & CALLS and inner - CALLS)


@pytest.mark.native(INTERPRETER)
def test_calls_within_calls_are_all_there(warm: Unwinder) -> None:
    with running(NESTED, str(NESTING)) as child:
        found = sampled(warm, child.pid)
        assert all(whole(one, child) for one in found), found
    assert {names(one).count("qsort_r") for one in found} == {NESTING}


@pytest.mark.native(INTERPRETER)
def test_a_stack_that_is_too_deep_has_its_innermost_frames(warm: Unwinder) -> None:
    with running(NESTED, "40") as child:
        found = sampled(warm, child.pid)
    assert {(one.end, len(one.frames)) for one in found} == {(End.DEEP, DEPTH)}
    assert all(names(one).count("qsort_r") > NESTING for one in found)


@pytest.mark.native(INTERPRETER)
def test_the_hash_of_a_library_is_under_its_callers(warm: Unwinder) -> None:
    with running(HASHES) as child:
        found = sampled(warm, child.pid)
        assert all(whole(one, child) for one in found), found
    inner = Counter(library(one.frames[0]) for one in found)
    assert inner.most_common(1)[0][0].startswith(("libcrypto", "_hash", "_sha"))


@pytest.mark.native(INTERPRETER)
def test_what_is_sampled_in_the_kernel_has_the_stack_of_its_call(warm: Unwinder) -> None:
    with running(READS) as child:
        found = sampled(warm, child.pid)
        assert all(whole(one, child) for one in found), found
    inside = sum(one.count for one in found if names(one)[0] in ("readv", "__readv"))
    assert inside > total(found) / 2


@pytest.mark.native(INTERPRETER)
def test_a_handler_is_under_what_it_interrupted(warm: Unwinder) -> None:
    with running(HANDLES) as child:
        found = sampled(warm, child.pid)
        assert all(whole(one, child) for one in found), found
    for one in found:
        assert {"raise", "gsignal"} & set(names(one))


@pytest.mark.native(INTERPRETER)
def test_stacks_of_python_reach_its_main(warm: Unwinder) -> None:
    with running(WORKS) as child:
        found = sampled(warm, child.pid, count=2 * SAMPLES)
        share = sum(one.count for one in found if whole(one, child)) / total(found)
    assert share >= 0.95, f"{share:.1%} of {total(found)} stacks reach main"


@pytest.mark.native(INTERPRETER)
def test_a_library_that_is_loaded_later_is_seen(warm: Unwinder) -> None:
    with running(LATER) as child:
        warm.watch(child.pid)
        tell(child)
        told(child)
        gathered(warm, child.pid, lambda stacks: total(stacks, End.UNMAPPED) > 3)
        warm.refresh()
        warm.take()
        found = gathered(warm, child.pid, lambda stacks: total(stacks) > SAMPLES)
        assert all(whole(one, child) for one in found), found
        warm.forget(child.pid)


@pytest.mark.native(INTERPRETER)
def test_what_was_put_in_for_a_process_goes_with_it(live: Live, warm: Unwinder) -> None:
    held = (state.watched, state.mappings, state.pages, state.slabs)
    before = [len(live[each]) for each in held]
    with running(LOADS) as one, running(LOADS) as other:
        warm.watch(one.pid)
        alone = [len(live[each]) for each in held]
        warm.watch(other.pid)
        both = [len(live[each]) for each in held]
        warm.forget(other.pid)
        assert [len(live[each]) for each in held] == alone
    assert all(less < more for less, more in zip(before[:3], alone[:3], strict=True))
    assert all(less < more for less, more in zip(alone[:2], both[:2], strict=True))
    assert both[2:] == alone[2:]
    warm.refresh()
    assert [len(live[each]) for each in held] == before


@pytest.mark.native("it is the user half's alone, and takes ten seconds there")
def test_what_a_process_maps_no_longer_is_forgotten(live: Live, unwinder: Unwinder) -> None:
    with begun("sh", "-c", "echo; read line; exec cat") as child:
        unwinder.watch(child.pid)
        shell = {key.file for key in live[state.pages]}
        tell(child)
        while not os.readlink(f"/proc/{child.pid}/exe").endswith(("cat", "coreutils")):
            time.sleep(0.01)
        unwinder.refresh()
        other = {key.file for key in live[state.pages]}
        unwinder.forget(child.pid)
    assert other - shell
    assert shell - other
    assert shell & other


def test_a_process_that_is_not_there_is_refused(unwinder: Unwinder) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    with pytest.raises(
        BadInput, match=rf"process {gone.pid}: it cannot be looked at \(No such file"
    ):
        unwinder.watch(gone.pid)


def test_the_size_is_as_it_was(live: Live) -> None:
    """How many instructions it has, and how many the verifier looks at until it is content."""
    found = verdict(live.programs[on_sample.name])
    assert found.instructions == pytest.approx(SIZE, rel=TOLERANCE)
    assert 0 < found.processed < VERIFIED
