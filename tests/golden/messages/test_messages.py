"""Every error that a user may meet has a text, as it was; what changes on purpose is written anew by the corpus."""

import re

import pytest

from tests.golden.cases import every
from tests.golden.messages import corpus

CASES = dict(every(corpus.FOLDER))
OURS = re.compile(r"src/skep|site-packages|0x[0-9a-f]{9}| object at ")

# Places whose texts nobody reads as they are, or that are held elsewhere; each with its reason.
ELSEWHERE = {
    "testing/door.py": "answers of the fake kernel, which become errors as those of the real one",
    "testing/fake_": "the same",
    "kernel/bpf.py": "answers of the kernel, which become errors where they enter",
    "kernel/netlink.py": "the same",
    "kernel/probe_": "the same, as the reasons of `skep features`",
    "program/interruption.py": "Ctrl-C, which has no text",
    "cli/ending.py": "the same",
    "events/record.py": "tests/golden/lang/declarations.txt",
    "base/frozen.py": "the words of dataclasses, in tests/unit/base/test_frozen.py",
    "place of the device'": "tests/unit/kernel/test_netlink.py",
    "it goes too deep": "the case of that name: Python follows no lines after an error of recursion",
    "raise AssertionError('numbers do not end')": "it cannot be",
    "raise NotImplementedError": "a method that each class has",
}
# What the fake kernel cannot bring about, and the test that does.
IN_KERNELS = {
    "program/contexts.py": "tests/kernel/program/test_run.py",
    "raise BadInput(program.name, problem, hint)": "the same",
    "`skep prog {holder}`": "tests/kernel/kernel/test_links.py",
    **dict.fromkeys(
        (
            "'it is gone'",
            "raise BadInput(f'map {name}'",
            "BadInput(name,",
            "cli/link_command.py",
            "BadInput('map'",
        ),
        "tests/kernel/cli/test_objects.py",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_message_is_as_it_was(name: str) -> None:
    assert corpus.told(CASES[name].source)[0] == CASES[name].expected


@pytest.mark.parametrize("name", CASES)
def test_a_message_names_no_file_of_ours(name: str) -> None:
    assert not OURS.search(corpus.told(CASES[name].source)[0])


def test_every_place_that_makes_an_error_has_a_text() -> None:
    reached = {place for case in CASES.values() for place in corpus.told(case.source)[1]}
    missed = [
        f"{file}:{line}: {text}"
        for (file, line), text in sorted(corpus.places().items())
        if (file, line) not in reached
        and not any(part in f"{file}:{text}" for part in (*ELSEWHERE, *IN_KERNELS))
    ]
    assert not missed, "\n".join(missed)
