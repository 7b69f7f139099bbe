"""Which program a kernel gets, names of reasons, and sums over CPUs."""

import pytest

from skep.base.errors import Unsupported
from skep.btf.reader import Btf
from skep.btf.writer import Builder
from skep.flows import drops
from skep.flows.drops import Reasons, SiteTotal, totals
from skep.flows.programs.drops import Count, Site
from tests.unit.flows.kernels import kernel


@pytest.mark.parametrize(("arguments", "name"), [(4, "on_drop"), (3, "on_drop_alone")])
def test_the_program_is_the_one_for_the_arguments_of_the_tracepoint(
    arguments: int, name: str
) -> None:
    assert [one.name for one in drops.programs(kernel(arguments))] == [name]


def test_a_kernel_that_gives_no_reason_has_no_program() -> None:
    for btf in (kernel(2), Btf(Builder().build())):
        with pytest.raises(Unsupported, match="why it drops") as caught:
            drops.programs(btf)
        assert caught.value.since == "5.17"


def test_a_reason_has_its_name_without_the_prefix() -> None:
    reasons = Reasons(kernel())
    assert [reasons.name(number) for number in (2, 3, 4)] == ["NOT_SPECIFIED", "NO_SOCKET", None]


def test_a_reason_of_a_subsystem_has_its_own_name_or_that_of_the_subsystem() -> None:
    mine = 3 << 16 | 1
    assert Reasons(kernel(own=True)).name(mine) == "OVS_DROP_LAST_ACTION"
    assert Reasons(kernel()).name(mine) == "OPENVSWITCH_1"
    assert Reasons(kernel(), [kernel(own=True)]).name(mine) == "OVS_DROP_LAST_ACTION"
    assert Reasons(kernel()).name(1 << 16 | 7) == "MAC80211_UNUSABLE_7"


def test_a_subsystem_that_is_none_has_no_name() -> None:
    reasons = Reasons(kernel())
    assert reasons.name(4 << 16) is None
    assert reasons.name(9 << 16) is None


def test_totals_are_over_all_cpus() -> None:
    site = Site(location=0xFFFF_FFFF_8100_0000, reason=3)
    counts = [Count(total=5, told=2), Count(), Count(total=7, told=1)]
    assert totals([(site, counts)]) == [SiteTotal(3, 0xFFFF_FFFF_8100_0000, 12, 3)]
