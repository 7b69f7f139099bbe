"""The kernel tests pass on Debian's kernels. Both guests run at once; each is one boot and one pytest process."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import NoReturn

import pytest

from tests.vm import guests
from tools import debian, vm
from tools.kernels import SERIES, kernel


@pytest.fixture(scope="module")
def running(
    request: pytest.FixtureRequest, absent: Callable[[str], NoReturn]
) -> Iterator[dict[str, vm.Guest]]:
    """A guest for each kernel that is wanted, started together."""
    names = [item.name for item in request.session.items]
    with ExitStack() as stack:
        started = {}
        stack.enter_context(guests.alone())
        guests.copy_tree()
        try:
            for series in SERIES:
                if f"{test_the_kernel_tests_pass_on.__name__}[{series}]" in names:
                    started[series] = guests.start(
                        kernel(series), request.config.getoption("--guest-args")
                    )
                    stack.callback(started[series].stop)
        except debian.Unavailable as reason:
            absent(f"kernels in a virtual machine: {reason}")
        yield started


@pytest.mark.timeout(0)  # the guest has a limit of its own
@pytest.mark.parametrize("series", SERIES)
def test_the_kernel_tests_pass_on(
    series: str,
    running: dict[str, vm.Guest],
    not_run: Callable[[str], None],
    pytestconfig: pytest.Config,
) -> None:
    guest = running[series]
    outcome = guest.wait(pytestconfig.getoption("--guest-seconds"))
    found = guests.read(guest.folder / "results.xml")
    for reason in found.skipped.values():
        not_run(f"on {series}: {reason}")
    assert not outcome.trouble, f"{outcome.trouble}\n{outcome.output[-4000:]}"
    if found.failed:
        name = guest.kernel.release
        pytest.fail(f"on {name}:\n{found}{guests.uncompiled(guest.folder)}", pytrace=False)
    assert found.passed, outcome.output
    assert outcome.code == 0, outcome.output[-4000:]
