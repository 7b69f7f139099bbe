"""What programs print arrives, and is what plain Python prints."""

from pathlib import Path

import pytest

import skep
from skep.kernel.printed import Printed
from tests.kernel.lang.both import packets
from tests.kernel.lang.prints import programs
from tests.kernel.lang.prints.programs import TAG


def test_a_program_prints_the_same_in_the_kernel_and_as_plain_python(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for data in packets(4, 3):
        with Printed() as printed:
            skep.run(programs.prints, data)
            lines = [line for line in printed.poll(5) if line.startswith(TAG)]
        programs.prints.py(data)
        assert lines == capsys.readouterr().out.splitlines()
        assert len(lines) == 5


def test_a_reader_leaves_nothing_behind() -> None:
    with Printed() as printed:
        folder = Path(printed._folder)
        assert folder.exists()
    assert not folder.exists()
