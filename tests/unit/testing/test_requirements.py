from collections.abc import Callable

import pytest

from skep.kernel.probe_table import FEATURES
from skep.kernel.probes import Probe, State
from skep.testing.requirements import OPTIONS, Requirements, Verdict, judge


def absent(name: str, since: str = "6.6") -> Probe:
    return Probe(name, State.ABSENT, 22, "the kernel does not take these arguments", since)


def built(**options: bool) -> Callable[[str], bool | None]:
    return options.get


def test_an_older_kernel_may_lack_a_feature() -> None:
    assert judge(absent("link.tcx"), "6.1.0-56-amd64", built()) == Verdict(
        accepted=True, reason="link.tcx: since Linux 6.6"
    )


@pytest.mark.parametrize("release", ["6.6.0", "6.12.95+deb12-amd64", "7.0"])
def test_a_kernel_that_is_new_enough_must_have_it(release: str) -> None:
    verdict = judge(absent("map.hash"), release, built())
    assert not verdict.accepted
    assert f"Linux 6.6 brought it, and this is {release}" in verdict.reason


def test_a_kernel_may_be_built_without_it() -> None:
    verdict = judge(absent("link.tcx"), "6.12", built(CONFIG_NET_XGRESS=False))
    assert verdict == Verdict(
        accepted=True, reason="link.tcx: this kernel has no CONFIG_NET_XGRESS"
    )


@pytest.mark.parametrize("options", [{"CONFIG_NET_XGRESS": True}, {}])
def test_a_kernel_that_is_built_with_it_or_does_not_tell_must_have_it(
    options: dict[str, bool],
) -> None:
    assert not judge(absent("link.tcx"), "6.12", built(**options)).accepted


def test_a_policy_of_the_host_is_respected() -> None:
    refused = Probe("prog.lsm", State.REFUSED, 1, "a policy of this host refuses it", "5.7")
    assert judge(refused, "6.18", built()) == Verdict(
        accepted=True, reason="prog.lsm: a policy of this host refuses it"
    )


@pytest.mark.parametrize("name", ["event.cycles", "fs.bpffs", "cap.bpf", "helper.probe_write_user"])
def test_of_what_the_machine_decides_a_release_says_nothing(name: str) -> None:
    assert judge(absent(name, "4.9"), "6.18", built()).accepted


def test_options_are_those_of_features_that_there_are() -> None:
    assert set(OPTIONS) <= set(FEATURES)


def test_a_feature_that_no_probe_is_for_is_a_mistake() -> None:
    verdict = Requirements().lack("link.tcxx")
    assert verdict == Verdict(
        accepted=False, reason="there is no feature 'link.tcxx'; did you mean 'link.tcx'?"
    )
