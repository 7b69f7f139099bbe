"""Debian's newest kernel: what only that has, and that the agent's programs load there; all else in long runs."""

from collections.abc import Callable, Iterator

import pytest

from tests.vm import guests
from tools import debian, vm
from tools.kernels import NEWEST, kernel

SELECTED = (
    "tests/kernel/agent/test_programs.py",
    "tests/kernel/kinds/test_scheduling.py",
    "tests/kernel/kinds/test_struct_ops.py",
)
"""What needs that kernel, or must notice what it changed. Kernels that come pass it: no test names a release."""
Start = Callable[..., vm.Guest]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a guest of that kernel, which is ended with the test. A mirror may lack it: in CI, too."""
    started: list[vm.Guest] = []

    def begin(arguments: str, *collected: str) -> vm.Guest:
        guests.copy_tree()
        try:
            started.append(guests.start(kernel(NEWEST), arguments, collected))
        except debian.Unavailable as reason:
            pytest.skip(f"the newest kernel in a virtual machine: {reason}")
        return started[-1]

    with guests.alone():
        yield begin
        for guest in started:
            guest.stop()


@pytest.mark.timeout(0)  # the guest has a limit of its own
def test_what_the_newest_kernel_has_runs_there(
    start: Start, not_run: Callable[[str], None], pytestconfig: pytest.Config
) -> None:
    guest = start(" ".join(SELECTED), *SELECTED)
    guests.judge(guest, pytestconfig.getoption("--guest-seconds"), not_run)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_the_kernel_tests_pass_on_the_newest_kernel(
    start: Start, not_run: Callable[[str], None], pytestconfig: pytest.Config
) -> None:
    guest = start(pytestconfig.getoption("--guest-args"), guests.KERNEL_TESTS)
    guests.judge(guest, pytestconfig.getoption("--guest-seconds"), not_run)
