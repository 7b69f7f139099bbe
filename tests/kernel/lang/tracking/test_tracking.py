"""Functions of modules are called by name, with the module's types: tracked connections are found, read and marked."""

import errno
from types import SimpleNamespace

import pytest

import skep
from skep.testing.network import Namespace
from tests.kernel.lang.tracking import programs

KNOWN, UNKNOWN = bytes(64), bytes(65)


def verdict(live: skep.Live, program: str, packet: bytes = KNOWN) -> int:
    return live.programs[program].test_run(packet).retval


@pytest.mark.requires("kfunc.bpf_xdp_ct_lookup", "kind.tcx_ingress")
def test_a_connection_that_was_inserted_is_found_and_marked(netns: Namespace) -> None:
    with netns.entered(), skep.load(*programs.ALL, attach=False) as live:
        assert verdict(live, "finds") == errno.ENOENT
        assert verdict(live, "opens") == 2
        assert [verdict(live, "finds") for _ in range(2)] == [2, 2]
        assert live[programs.marks][len(KNOWN)] == 7
        assert verdict(live, "finds_in_tc") == 2
        assert live[programs.marks][len(KNOWN)] == 17
        assert verdict(live, "finds", UNKNOWN) == errno.ENOENT


def test_a_program_runs_without_the_module_too() -> None:
    """What is not there is None, wherever the function would be."""
    has = skep.Machine().target.modules("nf_conntrack") is not None
    has = has or skep.Machine().target.types.function("bpf_xdp_ct_lookup")
    with skep.load(programs.finds, attach=False) as live:
        assert verdict(live, "finds", UNKNOWN) == (errno.ENOENT if has else programs.MISSING)


def test_a_connection_is_given_another_destination(netns: Namespace) -> None:
    target = skep.Machine().target
    loaded = [target.modules("nf_nat"), target.types]
    has = any(one and one.function("bpf_ct_set_nat_info") for one in loaded)
    with netns.entered(), skep.load(programs.translates, attach=False) as live:
        assert verdict(live, "translates", UNKNOWN) == (2 if has else programs.MISSING)


def test_plain_python_takes_fakes_by_the_names_of_functions() -> None:
    entry, released = SimpleNamespace(mark=5, status=programs.CONFIRMED), list[object]()
    fakes = {"bpf_xdp_ct_lookup": lambda *_: entry, "bpf_ct_release": released.append}
    kernel = skep.FakeKernel(helpers=fakes)  # type: ignore[arg-type]  # functions of any arguments
    assert programs.finds.py(KNOWN, kernel=kernel) == 2
    assert dict(kernel[programs.marks]) == {len(KNOWN): 6}
    assert len(released) == 1
