"""What all tests share: what is missing is told at the end and fails in CI, where test data lies, long runs."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from skep.base.config import environment
from tools import debian

# Beside the checkout, unless SKEP_TEST_DATA says where.
DATA = debian.ROOT.parent / "shared" / "data"
# What would take a guest more than its five minutes, though it could run there: by part of a test's id.
TOO_SLOW = {
    "examples/test_examples.py::": "each example starts Python anew, 10 s there",
    "examples/test_deciding.py::": "each example starts Python anew, 10 s there",
    "large/test_datapath.py::": "stories of the datapath, 4 s each there; one of them runs",
    "agent/test_life.py::test_another_instance_": "another agent, a quarter of a minute there",
    "::test_a_shell_is_walked_up_": "tables of a shell for the unwinder, 14 s there",
    "::test_two_hundred_patterns": "thousands of paths; fewer patterns run there",
    "::test_of_many_short_processes": "thousands of processes, 30 s there",
}
# One example runs in guests too, one story, and what the machine's own kernel may refuse.
KEPT = ("::test_hello_", "::test_an_executable_is_refused_", "[a_service_is_its_backends]")
OUTCOMES = ("passed", "skipped", "xfailed", "failed", "error")
WRONG = ("failed", "error")
NOT_RUN = pytest.StashKey[Counter[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="run the tests that take minutes")
    parser.addoption("--guest", action="store_true", help="this is a virtual machine (tests/vm)")
    parser.addoption("--record-logs", help="keep here what the kernel says of refused programs")
    parser.addoption("--guest-args", default="tests/kernel", help="of pytest in virtual machines")
    parser.addoption("--told", type=Path, help="write here what became of the tests (tools/check)")
    parser.addoption("--guest-seconds", type=float, default=540, help="when one is ended")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[NOT_RUN] = Counter()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("soak") and not config.getoption("--soak"):
            item.add_marker(pytest.mark.skip(reason="long runs: make soak"))
        if (native := item.get_closest_marker("native")) and config.getoption("--guest"):
            item.add_marker(pytest.mark.skip(reason=f"not under emulation: {native.args[0]}"))
        slow = [why for part, why in TOO_SLOW.items() if part in item.nodeid]
        if slow and config.getoption("--guest") and not any(part in item.nodeid for part in KEPT):
            item.add_marker(pytest.mark.skip(reason=f"not under emulation: {slow[0]}"))


@pytest.fixture(scope="session")
def absent() -> Callable[[str], NoReturn]:
    """Ends a test for want of something that CI has: told at the end, and in CI a failure."""

    def end(reason: str) -> NoReturn:
        if environment().ci:
            pytest.fail(f"missing in CI: {reason}")
        pytest.skip(reason)

    return end


@pytest.fixture
def not_run(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Notes a reason for which something was not run, for the last lines."""
    reasons = pytestconfig.stash[NOT_RUN]

    def note(reason: str) -> None:
        reasons[reason] += 1

    return note


@pytest.fixture(scope="session")
def test_data(absent: Callable[[str], NoReturn]) -> Path:
    """The folder of test data that is not ours: rules, dashboards and requests as others publish them."""
    folder = Path(environment().test_data or DATA)
    if not folder.is_dir():
        absent(f"test data: no folder {folder} (set SKEP_TEST_DATA)")
    return folder


@pytest.hookimpl(wrapper=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> Iterator[None]:
    """The last lines before the count: what was not run, and why; of several processes tools/check tells it."""
    yield
    reasons = config.stash[NOT_RUN].copy()
    for report in terminalreporter.stats.get("skipped", ()):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reasons[reason.removeprefix("Skipped: ")] += 1
    if told := config.getoption("--told"):
        told.write_text(json.dumps(outcomes(terminalreporter) | {"not_run": reasons}))
        return
    if reasons:
        terminalreporter.section("not run, and why")
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"{count:4} test{'s'[: count != 1]:1} {reason}")


def outcomes(reporter: pytest.TerminalReporter) -> dict[str, object]:
    """How many tests had which outcome, and the names of those that failed."""
    found = {name: reporter.stats[name] for name in OUTCOMES if reporter.stats.get(name)}
    failed = [report.nodeid for name in WRONG for report in found.get(name, ())]
    return {"outcomes": {name: len(reports) for name, reports in found.items()}, "failed": failed}
