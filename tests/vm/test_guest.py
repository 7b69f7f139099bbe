"""The virtual machine itself: an exit code arrives, a guest that hangs is ended, this machine stays as it is."""

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from skep.testing.programs import until
from tools import debian, vm
from tools.kernels import SERIES, Kernel, kernel

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def oldest(absent: Callable[[str], NoReturn]) -> Kernel:
    try:
        return kernel(SERIES[0])
    except debian.Unavailable as reason:
        absent(f"kernels in a virtual machine: {reason}")


def test_the_exit_code_and_the_output_arrive_and_the_host_stays_as_it_is(
    oldest: Kernel, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    mark.write_text("host")
    guest = vm.start(oldest, f"echo guest >{mark}; cat {mark}; uname -r; exit 7", tmp_path / "vm")
    outcome = guest.wait(300)
    assert (outcome.code, outcome.trouble) == (7, "")
    assert outcome.output.split() == ["guest", oldest.release]
    assert mark.read_text() == "host"


def test_a_guest_that_hangs_is_ended_and_its_console_shown(oldest: Kernel, tmp_path: Path) -> None:
    guest = vm.start(oldest, "echo begun; sleep 600", tmp_path)
    try:
        until(lambda: vm.read(tmp_path / "output") == "begun\n", seconds=300)
    finally:
        outcome = guest.wait(1)
    assert outcome.code is None
    assert "ended after 1 s" in outcome.trouble
    assert "guest: ready" in outcome.trouble
    assert outcome.output == "begun\n"
    assert guest.process.returncode == -9


def test_an_emulator_that_fails_says_why(oldest: Kernel, tmp_path: Path) -> None:
    guest = vm.start(oldest, "true", tmp_path, vm.Size(memory="2X"))
    outcome = guest.wait(60)
    assert outcome.code is None
    assert "without an exit code" in outcome.trouble
    assert "2X" in outcome.trouble
