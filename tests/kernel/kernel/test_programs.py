"""Programs of the running kernel: loaded, run without being attached, refused with a reason."""

import struct
from dataclasses import replace

import pytest

from skep.base.errors import KernelError, Unsupported, VerifierError
from skep.btf.reader import Btf
from skep.kernel import stats
from skep.kernel.maps import Map
from skep.kernel.programs import Program
from skep.lang.spec import (
    Context,
    Hook,
    KfuncReference,
    MapReference,
    MapSpec,
    MapType,
    ProgramKind,
)
from skep.lang.types import u32, u64
from tests.kernel.kernel.samples import COUNT, counting, insn, program, returns

STATE = MapSpec("skep_probe", MapType.ARRAY, u32, u64[2], 1, 1 << 10)
ETHERNET = bytes(64)


def test_a_program_is_known_to_the_kernel_by_its_name_and_size() -> None:
    with Program.load(program("raw_tp", "sys_enter"), []) as loaded:
        info = loaded.info()
    assert (info.name, info.type, info.xlated_size) == ("skep_probe", 17, 16)
    assert info.jited_size > 0
    assert (info.run_cnt, info.recursion_misses) == (0, 0)


@pytest.mark.parametrize(
    ("kind", "verdict"), [("xdp", 1), ("tcx_ingress", 2), ("cgroup_skb_egress", 1)]
)
def test_a_packet_program_gives_its_verdict_on_a_packet(kind: str, verdict: int) -> None:
    with Program.load(program(kind, insns=returns(verdict)), []) as loaded:
        run = loaded.test_run(ETHERNET, repeat=10)
    assert run.retval == verdict
    assert len(run.data) == len(ETHERNET)


def test_a_value_is_reached_by_its_address_and_offset() -> None:
    for offset in (0, 8):
        spec = program(
            "raw_tp", "sys_enter", COUNT, references=(MapReference(0, 0, offset),), maps=(STATE,)
        )
        with Map.create(STATE) as state, Program.load(spec, [state]) as loaded:
            for _ in range(3):
                loaded.test_run(ctx=bytes(16))
            words = struct.unpack("<QQ", state.memory())
            assert words[offset // 8] == 3
            assert sum(words) == 3


def test_a_map_is_looked_up_by_its_descriptor() -> None:
    lookup = b"".join(
        (
            insn(0x62, 10, off=-4, imm=0) + insn(0x18, 1) + insn(0),
            insn(0xBF, 2, 10) + insn(0x07, 2, imm=-4) + insn(0x85, imm=1),
            insn(0x15, 0, off=1, imm=0) + insn(0x79, 0, 0) + insn(0x95),
        )
    )
    spec = program("xdp", insns=lookup, references=(MapReference(1, 0),), maps=(STATE,))
    with Map.create(STATE) as state, Program.load(spec, [state]) as loaded:
        state[0] = [3, 0]
        assert loaded.test_run(ETHERNET).retval == 3


@pytest.mark.requires("kfunc.bpf_rcu_read_lock")
def test_a_kernel_function_is_called_by_its_id(btf: Btf) -> None:
    code = insn(0x85, imm=-1) + insn(0x85, imm=-1) + returns(0)
    calls = (KfuncReference(0, "bpf_rcu_read_lock"), KfuncReference(1, "bpf_rcu_read_unlock"))
    with Program.load(program("tp_btf", "sched_switch", code, kfuncs=calls), [], btf) as loaded:
        assert loaded.info().verified_insns == 4


def test_a_refused_program_says_what_the_verifier_said_and_leaves_nothing() -> None:
    with pytest.raises(VerifierError) as caught:
        Program.load(program("raw_tp", "sys_enter", insn(0x95)), [])
    assert "R0 !read_ok" in caught.value.log


def test_the_whole_log_is_kept_however_long(btf: Btf) -> None:
    many = b"".join(insn(0xB7, 1, imm=n) for n in range(4000)) + insn(0x95)
    with pytest.raises(VerifierError) as caught:
        Program.load(program("tp_btf", "sched_switch", many), [], btf)
    assert "0: (b7) r1 = 0" in caught.value.log
    assert "R0 !read_ok" in caught.value.log
    assert len(caught.value.log) > 1 << 16


def test_a_tracepoint_that_is_missing_is_unsupported_with_the_nearest(btf: Btf) -> None:
    with pytest.raises(Unsupported, match="did you mean 'sched_switch'"):
        Program.load(program("tp_btf", "sched_swich"), [], btf)


def test_a_kind_that_the_kernel_does_not_know_is_no_verifier_error() -> None:
    kind = ProgramKind("unknown", 9999, 0, Hook.CGROUP, Context.RAW_ARGS)
    with pytest.raises(KernelError, match=r"BPF_PROG_LOAD \(unknown\) of skep_probe: .*EINVAL"):
        Program.load(replace(program("xdp"), kind=kind), [])


def test_a_kind_that_cannot_be_run_says_so(btf: Btf) -> None:
    loaded = Program.load(program("tp_btf", "sched_switch"), [], btf)
    with loaded, pytest.raises(KernelError, match="BPF_PROG_TEST_RUN of skep_probe"):
        loaded.test_run(ETHERNET)


@pytest.mark.requires("run.statistics")
def test_runs_are_counted_while_statistics_are_on() -> None:
    with Program.load(program("xdp", insns=returns(2)), []) as loaded:
        loaded.test_run(ETHERNET)
        with stats.enabled():
            before = [loaded.info()]
            loaded.test_run(ETHERNET, repeat=100)
            (runs,) = stats.between(before, [loaded.info()])
    assert runs.run_cnt == 100
    assert runs.run_time_ns > 0
    assert runs.ns_per_run == runs.run_time_ns / 100


def test_who_holds_a_program_is_found() -> None:
    with Program.load(program("raw_tp", "sys_enter"), []) as loaded:
        number = loaded.info().id
        assert [one.fd for one in stats.holders() if (one.kind, one.id) == ("prog", number)] == [
            loaded.fd
        ]
        assert number in {one.id for one in stats.all_programs()}


def test_the_result_of_a_counting_program_is_its_own() -> None:
    spec = program("xdp", insns=counting(1), references=(MapReference(0, 0, 0),), maps=(STATE,))
    with Map.create(STATE) as state, Program.load(spec, [state]) as loaded:
        assert loaded.test_run(ETHERNET, repeat=5).retval == 1
        assert state[0] == [5, 0]
