"""Programs that the running kernel refuses are explained: each has the cause that its case names.

With ``--record-logs FOLDER`` what the kernel said of each is kept there, as ``NAME.log`` (``record`` does so for all
kernels). One test goes through all programs, for a guest spends more on a test than on a program.
"""

import os
import re
from contextlib import ExitStack
from pathlib import Path

import pytest

import skep
from skep.base.errors import Unsupported, VerifierError
from skep.btf.reader import Btf
from skep.kernel.maps import Map
from skep.kernel.programs import Program
from skep.program.machine import Machine
from tests.kernel.refused import corpus, programs
from tests.kernel.refused.corpus import ACCEPTED, LACKS, Case
from tests.kernel.refused.record import shortened

RELEASE = os.uname().release
DISTINCT = 25


def answer(case: Case, btf: Btf, logs: Path | None) -> str:
    """What the running kernel makes of a program: the cause, or that it takes it, or lacks a function of it."""
    spec = case.spec(btf)
    with ExitStack() as stack:
        maps = [stack.enter_context(Map.create(one)) for one in spec.maps]
        try:
            stack.enter_context(Program.load(spec, maps, btf))
        except VerifierError as error:
            if logs:
                (logs / f"{case.name}.log").write_text(shortened(error.log))
            return error.cause
        except Unsupported as error:
            return f"{LACKS}{error.feature}"
    return ACCEPTED


def differs(case: Case, got: str) -> bool:
    wanted = case.expected(RELEASE)
    return got != wanted and not (got == ACCEPTED and wanted.startswith(ACCEPTED))


@pytest.fixture(scope="module")
def answers(pytestconfig: pytest.Config) -> list[tuple[Case, str]]:
    """What the running kernel makes of each case; those that take long only outside of guests."""
    folder = pytestconfig.getoption("--record-logs")
    logs = Path(folder) if folder else None
    if logs:
        logs.mkdir(exist_ok=True)
    btf = Machine().btf
    guest = pytestconfig.getoption("--guest")
    asked = [case for case in corpus.cases() if not (case.slow and guest)]
    return [(case, answer(case, btf, logs)) for case in asked]


def told(program: skep.Program) -> VerifierError:
    with pytest.raises(VerifierError) as caught:
        skep.load(program)
    return caught.value


@pytest.mark.native("on other kernels it is the assembled programs that are explained")
@pytest.mark.parametrize("program", programs.TOLD, ids=lambda program: program.name)
def test_what_the_compiler_lets_through_is_explained_by_its_own_lines(
    program: skep.Program,
) -> None:
    error = told(program)
    assert error.cause == programs.TOLD[program]
    assert {span.file for span in error.path} == {programs.__file__}
    assert error.fix


@pytest.mark.native("as above")
@pytest.mark.requires("kfunc.bpf_task_from_pid")  # they came with it
@pytest.mark.parametrize("program", programs.OF_TASKS, ids=lambda program: program.name)
def test_what_is_wrong_with_objects_of_the_kernel_is_explained(program: skep.Program) -> None:
    assert told(program).cause == programs.OF_TASKS[program]


def test_each_program_is_explained_as_its_case_says(answers: list[tuple[Case, str]]) -> None:
    wrong = [
        f"{case.name}: {got!r}, not {case.expected(RELEASE)!r}"
        for case, got in answers
        if differs(case, got)
    ]
    assert not wrong, "\n".join(wrong)


def test_the_running_kernel_refuses_for_many_distinct_causes(
    answers: list[tuple[Case, str]],
) -> None:
    causes = {re.sub(r"\d+", "N", got) for _, got in answers}
    refused = {cause for cause in causes if not cause.startswith((ACCEPTED, LACKS))}
    assert len(refused) >= DISTINCT
