"""The kernel tests pass on Debian's kernels, side by side; each is one boot and one pytest process."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NoReturn

import pytest

from tests.vm import guests
from tools import debian, vm
from tools.kernels import SERIES, kernel

Started = dict[str, Future[vm.Guest]]


@pytest.fixture(scope="module")
def started(request: pytest.FixtureRequest) -> Iterator[Started]:
    """The guests of the kernels that are asked for, as they come, on a copy of the tree that nobody else uses.

    Compiling takes one processor of the machine for each, and so does each guest, which has one.
    """
    arguments = request.config.getoption("--guest-args")
    callspecs = (getattr(item, "callspec", None) for item in request.session.items)
    wanted = {spec.params.get("series") for spec in callspecs if spec is not None}
    with guests.alone(), ThreadPoolExecutor() as pool:
        guests.copy_tree()
        made = {
            series: pool.submit(lambda name: guests.start(kernel(name), arguments), series)
            for series in SERIES
            if series in wanted
        }
        yield made
        for future in made.values():
            if not future.exception():
                future.result().stop()


@pytest.mark.timeout(0)  # the guest has a limit of its own
@pytest.mark.parametrize("series", SERIES)
def test_the_kernel_tests_pass_on(
    series: str,
    started: Started,
    absent: Callable[[str], NoReturn],
    not_run: Callable[[str], None],
    pytestconfig: pytest.Config,
) -> None:
    try:
        guest = started[series].result()
    except debian.Unavailable as reason:
        absent(f"kernels in a virtual machine: {reason}")
    for why, paths in guests.LEFT_OUT.items():
        not_run(f"on {series}: {', '.join(paths)}: {why}")
    guests.judge(guest, pytestconfig.getoption("--guest-seconds"), not_run)
