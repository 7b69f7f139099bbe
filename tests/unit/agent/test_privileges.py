"""The table of privileges, and the service unit that goes with it."""

import configparser
from pathlib import Path

import pytest

from skep.agent import privileges
from skep.kernel.privileges import NAMES, SETPCAP

PROCESSES = {
    "agent": privileges.AGENT,
    "serving": privileges.SERVING,
    "drain": privileges.DRAINING,
    "compiler": privileges.COMPILING,
}


def unit(root: Path) -> dict[str, str]:
    """The last value of each key of the service section."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(root / "packaging" / "skep.service")
    return dict(parser["Service"])


@pytest.mark.parametrize("name", PROCESSES)
def test_every_name_is_one_of_the_kernel_s_and_stands_once(name: str) -> None:
    found = PROCESSES[name]
    assert set(found) <= set(NAMES)
    assert len(set(found)) == len(found)


def test_a_child_holds_no_more_than_the_agent_may_pass_on() -> None:
    assert set(privileges.COMPILING) < set(privileges.DRAIN_START) < set(privileges.AGENT)
    assert set(privileges.DRAINING) < set(privileges.DRAIN_START)
    assert {"CAP_BPF", "CAP_SYS_ADMIN"}.isdisjoint(privileges.DRAIN_START)


def test_the_service_is_given_what_the_agent_needs_and_what_gives_up_the_rest(
    pytestconfig: pytest.Config,
) -> None:
    given = unit(pytestconfig.rootpath)["CapabilityBoundingSet"].split()
    assert set(given) == {*privileges.AGENT, SETPCAP}
