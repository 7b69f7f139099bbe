"""The table of kinds, its decorators, and which helpers a kind may call."""

import pytest

import skep
from skep.kernel.hooks import HOOKS
from skep.kernel.probe_table import FEATURES
from skep.lang.availability import kinds_of, lack, works
from skep.lang.helpers import HELPERS, Arg, KernelResult
from skep.lang.kinds import KINDS
from skep.lang.programs import Program
from skep.lang.spec import SLEEPABLE

FAMILIES = {kind.family for kind in KINDS.values()}


def one(ctx: object) -> None:
    """A function for any decorator."""


DECORATORS = [
    *(
        getattr(skep, name)("x")
        for name in ("tp_btf", "raw_tp", "fentry", "fexit", "fmod_ret", "lsm")
    ),
    *(
        getattr(skep, name)("x")
        for name in (
            "kprobe",
            "kretprobe",
            "kprobe_multi",
            "kretprobe_multi",
            "ksyscall",
            "kretsyscall",
        )
    ),
    *(
        getattr(skep, name)("x", "y")
        for name in ("uprobe", "uretprobe", "uprobe_multi", "uretprobe_multi")
    ),
    *(skep.kprobe_session("x"), skep.uprobe_session("x", "y"), skep.usdt("x", "y:z")),
    *(skep.raw_tp("x", writable=True), skep.lsm("x", cgroup=True), skep.tracepoint("x/y")),
    *(
        skep.perf_event(frequency=9),
        skep.iterator("x"),
        skep.syscall_program(),
        skep.syscall("x"),
        skep.syscall(),
        skep.struct_ops("x.y"),
        skep.netfilter("input"),
    ),
    *(skep.xdp, skep.xdp(frags=True), skep.xdp(at="devmap"), skep.xdp(at="cpumap")),
    *(skep.tc("ingress"), skep.tc("egress"), skep.sockops),
    *(skep.netkit("primary"), skep.netkit("peer")),
    *(skep.socket_filter, skep.sk_lookup, skep.sk_msg, skep.flow_dissector),
    *(skep.sk_reuseport(), skep.sk_reuseport(migrate=True)),
    *(skep.sk_skb(part) for part in ("parser", "stream_verdict", "verdict")),
    *(skep.lwt(part) for part in ("in", "out", "xmit", "seg6local")),
    *(skep.cgroup(name.removeprefix("cgroup_")) for name in KINDS if name.startswith("cgroup_")),
]


def test_each_kind_has_a_decorator() -> None:
    made = {decorate(one).kind.name for decorate in DECORATORS}
    assert made | {"freplace"} == set(KINDS)


def test_each_kind_has_a_hook_a_probe_and_a_family() -> None:
    for kind in KINDS.values():
        assert kind.hook in HOOKS
        assert kind.feature in FEATURES
        assert kind.family
        assert kind.since


def test_a_default_is_in_the_range_that_the_kernel_takes() -> None:
    for kind in KINDS.values():
        low, high = kind.returns or (kind.default, kind.default)
        assert low <= kind.default <= high, kind.name


def test_a_sleepable_program_has_the_flag() -> None:
    assert skep.lsm("x", sleepable=True)(one).kind.flags == SLEEPABLE
    assert skep.lsm("x")(one).kind.flags == 0
    assert skep.syscall_program()(one).kind.sleeps


def test_a_decorator_that_needs_no_argument_is_given_the_function() -> None:
    assert skep.syscall_program(one).kind == skep.syscall_program()(one).kind
    assert skep.sk_reuseport(one).kind == skep.sk_reuseport()(one).kind


def test_a_replacement_is_what_its_target_is() -> None:
    target = skep.xdp(one)
    made = skep.freplace(target)(one)
    assert (made.kind.prog_type, made.kind.struct, made.kind.packet) == (28, "xdp_md", True)
    assert made.onto is target
    assert made.by_itself


def test_programs_that_say_where_they_go_are_attached_by_loading() -> None:
    by_itself = (skep.fentry("x"), skep.kprobe("x"), skep.uprobe("x", "y"), skep.usdt("x", "y:z"))
    assert all(decorate(one).by_itself for decorate in by_itself)
    told = (
        skep.uprobe(),
        skep.xdp,
        skep.cgroup("device"),
        skep.iterator("cgroup"),
        skep.syscall_program(),
    )
    assert not any(decorate(one).by_itself for decorate in told)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: skep.tc("sideways"),
        lambda: skep.xdp(at="x"),
        lambda: skep.cgroup("connect5"),
        lambda: skep.sk_skb("x"),
        lambda: skep.lwt("x"),
        lambda: skep.netfilter("x"),
        lambda: skep.netfilter("input", family="x"),
        lambda: skep.usdt("libc", "setjmp"),
        lambda: skep.tracepoint("x"),
        skep.perf_event,
    ],
)
def test_a_place_that_is_none_is_refused_where_it_is_written(wrong: object) -> None:
    with pytest.raises(ValueError):
        wrong()  # type: ignore[operator]


def test_a_place_in_a_binary_is_one_word() -> None:
    assert skep.uprobe("libc", "malloc", offset=4)(one).hook == "libc:malloc+0x4"
    assert skep.uprobe("libc", offset=16)(one).hook == "libc:+0x10"
    assert skep.uprobe_multi("libc", "a", "b*")(one).hook == "libc:a,b*"
    assert skep.kprobe("do_exit", offset=16)(one).hook == "do_exit+0x10"


# --- helpers


def test_helpers_name_families_that_there_are() -> None:
    named = {family for helper in HELPERS.values() for family in helper.families}
    assert {family.partition(":")[0] for family in named} <= FAMILIES


def test_a_size_stands_behind_the_memory_that_it_is_of() -> None:
    for helper in HELPERS.values():
        for before, kind in zip(helper.args, helper.args[1:], strict=False):
            assert kind is not Arg.SIZE or before in (Arg.OUT, Arg.IN), helper.name
        assert helper.doc.endswith(".")
        assert len(helper.args) <= 5


def test_results_may_be_none_or_are_only_read_by_probe() -> None:
    sock, task = HELPERS["sk_lookup_tcp"].result, HELPERS["get_current_task"].result
    assert sock == KernelResult("bpf_sock", nullable=True)
    assert task == KernelResult("task_struct", probe=True)


def test_a_helper_works_in_some_kinds_or_in_all() -> None:
    everywhere, sysctl = HELPERS["ktime_get_ns"], HELPERS["sysctl_get_name"]
    assert all(works(everywhere, kind) for kind in KINDS.values())
    assert kinds_of(sysctl) == ["cgroup_sysctl"]
    not_there = HELPERS["get_socket_cookie"]
    assert works(not_there, KINDS["tcx_ingress"])
    assert not works(not_there, KINDS["kprobe"])


def test_what_is_lacking_is_the_kind_the_right_to_wait_or_the_kernel() -> None:
    tc, lsm = KINDS["tcx_egress"], skep.lsm("x", sleepable=True)(one).kind
    missing = lack(HELPERS["bind"], tc, {})
    assert missing is not None
    assert missing.hint == "it is for cgroup_connect4, cgroup_connect6"
    many = lack(HELPERS["get_stack"], tc, {})
    assert many is not None
    assert many.hint.endswith("more")
    waits = HELPERS["copy_from_user"]
    assert lack(waits, lsm, {}) is None
    assert lack(waits, KINDS["lsm"], {}) is not None
    old = lack(HELPERS["redirect_peer"], tc, {"BPF_FUNC_redirect": 23})
    assert old is not None
    assert "since" not in old.problem
    assert old.hint == "it came with Linux 5.10"
    assert lack(HELPERS["redirect"], tc, {"BPF_FUNC_redirect": 23}) is None


def test_a_program_of_a_kind_is_named_by_it() -> None:
    made = skep.cgroup("device")(one)
    assert isinstance(made, Program)
    assert repr(made) == "<cgroup_device program one>"
