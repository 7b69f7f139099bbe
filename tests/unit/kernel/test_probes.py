"""A probe says whether, why not and what instead, and leaves nothing open. Against the fake kernel."""

import errno

import pytest

from skep.base.errors import Unsupported
from skep.btf.reader import Btf
from skep.btf.types import Param
from skep.btf.writer import Builder
from skep.kernel.commands import Command
from skep.kernel.probe_table import FEATURES
from skep.kernel.probes import Probe, State, probe, probe_all
from skep.kernel.refusal import CAPABILITIES
from skep.testing.door import ALL_CAPABILITIES, FakeDoor


@pytest.fixture
def door() -> FakeDoor:
    return FakeDoor()


@pytest.fixture
def btf() -> Btf:
    make = Builder()
    make.func("bpf_fentry_test1", make.prototype(0, [Param("", 0)]))
    return Btf(make.build())


def test_what_loads_is_on(door: FakeDoor) -> None:
    found = probe("prog.xdp", door=door)
    assert found.on
    assert (found.errno, found.why, found.since) == (0, "", "4.8")
    found.require()


def test_what_the_kernel_was_built_without_is_absent(door: FakeDoor) -> None:
    door.refuse(Command.PROG_LOAD, errno.EINVAL)
    found = probe("prog.xdp", door=door)
    assert (found.state, found.errno) == (State.ABSENT, errno.EINVAL)
    assert "EINVAL" in found.why


def test_what_a_policy_refuses_is_refused_and_says_what_is_used_instead(
    door: FakeDoor, btf: Btf
) -> None:
    door.refuse(Command.PROG_LOAD, errno.EPERM)
    found = probe("prog.fentry", btf, door=door)
    assert (found.state, found.why) == (State.REFUSED, "a policy of this host refuses it")
    with pytest.raises(
        Unsupported, match=r"prog.fentry: .*since Linux 5\.5.*instead: stable tracepoints"
    ):
        found.require()


def test_what_a_missing_capability_refuses_names_it() -> None:
    door = FakeDoor(
        mask=ALL_CAPABILITIES & ~(1 << CAPABILITIES["CAP_SYS_ADMIN"] | 1 << CAPABILITIES["CAP_BPF"])
    )
    door.refuse(Command.PROG_LOAD, errno.EPERM)
    assert probe("prog.xdp", door=door).why == "it needs CAP_BPF"
    assert probe("cap.bpf", door=door).state is State.REFUSED
    assert probe("cap.perfmon", door=door).on


def test_a_target_that_the_kernels_types_lack_is_absent(door: FakeDoor, btf: Btf) -> None:
    found = probe("prog.iterator", btf, door=door)
    assert (found.state, found.why) == (State.ABSENT, "the kernel has no bpf_iter_task")
    assert probe("kfunc.bpf_iter_num_new", btf, door=door).state is State.ABSENT


@pytest.mark.parametrize(
    ("log", "state"),
    [
        ("0: (85) call unknown#181\ninvalid func unknown#181\n", State.ABSENT),
        ("program of this type cannot use helper bpf_loop#181\n", State.ABSENT),
        ("R1 type=ctx expected=scalar\n", State.ON),
    ],
)
def test_a_helper_is_told_by_what_the_verifier_minds(
    door: FakeDoor, log: str, state: State
) -> None:
    door.refuse(Command.PROG_LOAD, errno.EINVAL, log=log)
    found = probe("helper.loop", door=door)
    assert found.state is state
    if state is State.ABSENT:
        assert "181" in found.why


def test_a_link_to_nothing_is_known_by_the_kernels_answer(door: FakeDoor) -> None:
    door.refuse(Command.LINK_CREATE, errno.ENODEV)
    assert probe("link.tcx", door=door).on
    door.refuse(Command.LINK_CREATE, errno.EINVAL)
    missing = probe("link.tcx", door=door)
    assert (missing.state, missing.instead) == (State.ABSENT, "clsact with cls_bpf")


def test_nothing_stays_open_whatever_the_kernel_answers(btf: Btf) -> None:
    for code in (0, errno.EINVAL, errno.EPERM):
        door = FakeDoor()
        if code:
            for command in (Command.PROG_LOAD, Command.MAP_CREATE, Command.LINK_CREATE):
                door.refuse(command, code, times=1000)
        found = probe_all(btf, door=door)
        assert door.open == {}
        assert list(found) == list(FEATURES)


def test_every_row_names_its_release_and_no_probe_is_asked_twice() -> None:
    for name, feature in FEATURES.items():
        assert feature.since or name.startswith("cap."), name
    assert probe_all(names=["cap.bpf"], door=FakeDoor()).keys() == {"cap.bpf"}
    with pytest.raises(KeyError):
        probe("prog.absent", door=FakeDoor())


def test_a_probe_is_a_plain_value() -> None:
    assert Probe("x", State.ON) == Probe("x", State.ON)


def test_a_function_of_a_module_is_asked_for_with_it(door: FakeDoor, btf: Btf) -> None:
    found = probe("kfunc.bpf_xdp_ct_lookup", btf, door=door)
    assert (found.state, found.since) == (State.ABSENT, "6.0")


def test_a_feature_is_told_with_what_is_used_instead() -> None:
    found = Probe("link.tcx", State.ABSENT, 22, "not built", "6.6", "clsact")
    assert found.as_dict() == {
        "name": "link.tcx",
        "state": "absent",
        "since": "6.6",
        "why": "not built",
        "instead": "clsact",
    }
