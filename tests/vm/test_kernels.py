"""The kernel tests pass on Debian's kernels, one after the other; each is one boot and one pytest process."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import NoReturn

import pytest

from tests.vm import guests
from tools import debian
from tools.kernels import SERIES, kernel


@pytest.fixture(scope="module")
def tree() -> Iterator[None]:
    """A copy of the tree, which nobody else uses."""
    with guests.alone():
        guests.copy_tree()
        yield


@pytest.mark.timeout(0)  # the guest has a limit of its own
@pytest.mark.parametrize("series", SERIES)
def test_the_kernel_tests_pass_on(
    series: str,
    tree: None,
    absent: Callable[[str], NoReturn],
    not_run: Callable[[str], None],
    pytestconfig: pytest.Config,
) -> None:
    with ExitStack() as stack:
        try:
            guest = guests.start(kernel(series), pytestconfig.getoption("--guest-args"))
        except debian.Unavailable as reason:
            absent(f"kernels in a virtual machine: {reason}")
        stack.callback(guest.stop)
        outcome = guest.wait(pytestconfig.getoption("--guest-seconds"))
    found = guests.read(guest.folder / "results.xml")
    for why, paths in guests.LEFT_OUT.items():
        not_run(f"on {series}: {', '.join(paths)}: {why}")
    for skipped in found.skipped.values():
        not_run(f"on {series}: {skipped}")
    assert not outcome.trouble, f"{outcome.trouble}\n{outcome.output[-4000:]}"
    if found.failed:
        name = guest.kernel.release
        pytest.fail(f"on {name}:\n{found}{guests.uncompiled(guest.folder)}", pytrace=False)
    assert found.passed, outcome.output
    assert outcome.code == 0, outcome.output[-4000:]
