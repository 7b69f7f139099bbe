"""Loading resolves what a spec leaves open, and a refusal says why. Against the fake kernel."""

import errno
import struct

import pytest

from skep.base.errors import Forbidden, KernelError, Unsupported, VerifierError
from skep.btf.reader import Btf
from skep.btf.types import Kind, Param
from skep.btf.writer import Builder
from skep.kernel.commands import Command
from skep.kernel.maps import Map
from skep.kernel.preparing import attach_id, resolve
from skep.kernel.programs import Program
from skep.lang.spec import KfuncReference, MapReference, MapSpec, MapType
from skep.lang.types import u32
from skep.testing.door import FakeDoor
from skep.testing.fake_objects import FakeProgram
from tests.unit.kernel.samples import HASH, RETURN, insn, program


@pytest.fixture
def door() -> FakeDoor:
    return FakeDoor()


@pytest.fixture
def btf() -> Btf:
    make = Builder()
    nothing = make.prototype(0, [Param("", 0)])
    make.typedef("btf_trace_sched_switch", make.ptr(nothing))
    make.func("bpf_iter_task", nothing)
    make.func("bpf_iter_num_new", nothing)
    return Btf(make.build())


LOAD_MAP = insn(0x18, 1) + insn(0)


def test_map_references_become_descriptors_and_addresses_of_values() -> None:
    code = LOAD_MAP + LOAD_MAP + RETURN
    references = (MapReference(0, 1), MapReference(2, 0, 24))
    spec = program(insns=code, references=references, maps=(HASH, HASH))
    resolved = resolve(spec, [7, 8], None).code
    assert resolved[:16] == insn(0x18, 1, 1, 0, 8) + insn(0)
    assert resolved[16:32] == insn(0x18, 1, 2, 0, 7) + insn(0, imm=24)
    assert resolved[32:] == RETURN


def test_kernel_functions_become_their_ids(btf: Btf) -> None:
    code = insn(0x85, imm=-1) + RETURN
    resolved, modules, _ = resolve(
        program(insns=code, kfuncs=(KfuncReference(0, "bpf_iter_num_new"),)), [], btf
    )
    number = btf.find(Kind.FUNC, "bpf_iter_num_new")
    assert number is not None
    assert resolved[:8] == insn(0x85, 0, 2, 0, number)
    assert modules == ()


def test_a_function_of_a_module_that_is_built_in_is_the_kernels_own(btf: Btf) -> None:
    spec = program(
        insns=insn(0x85, imm=-1) + RETURN, kfuncs=(KfuncReference(0, "m:bpf_iter_num_new"),)
    )
    resolved, modules, _ = resolve(spec, [], btf)
    assert resolved[:8] == insn(0x85, 0, 2, 0, btf.find(Kind.FUNC, "bpf_iter_num_new") or 0)
    assert modules == ()


def test_a_function_of_a_module_that_is_not_loaded_is_unsupported(btf: Btf) -> None:
    spec = program(insns=insn(0x85) + RETURN, kfuncs=(KfuncReference(0, "no_module:bpf_new"),))
    with pytest.raises(Unsupported, match=r"no_module: it is not loaded here.*modprobe no_module"):
        resolve(spec, [], btf)


def test_a_kernel_function_that_is_missing_is_unsupported(btf: Btf) -> None:
    spec = program(insns=insn(0x85) + RETURN, kfuncs=(KfuncReference(0, "bpf_new_thing"),))
    with pytest.raises(Unsupported, match="bpf_new_thing"):
        resolve(spec, [], btf)


@pytest.mark.parametrize(
    ("kind", "target", "found"),
    [
        ("tp_btf", "sched_switch", (Kind.TYPEDEF, "btf_trace_sched_switch")),
        ("iterator", "task", (Kind.FUNC, "bpf_iter_task")),
    ],
)
def test_a_target_is_found_by_the_kind_of_the_program(
    btf: Btf, kind: str, target: str, found: tuple[Kind, str]
) -> None:
    assert attach_id(program(kind, target), btf) == btf.find(*found)


def test_a_kind_without_a_target_in_btf_needs_none() -> None:
    assert attach_id(program("raw_tp"), None) == 0
    assert attach_id(program("xdp", ""), None) == 0


def test_a_target_that_is_missing_is_unsupported_and_the_nearest_is_named(btf: Btf) -> None:
    with pytest.raises(Unsupported, match="sched_switch"):
        attach_id(program("tp_btf", "sched_swich"), btf)
    with pytest.raises(Unsupported, match="not known"):
        attach_id(program("tp_btf", "sched_switch"), None)


def test_the_kernel_gets_the_instructions_and_the_numbers_of_the_kind(
    door: FakeDoor, btf: Btf
) -> None:
    with Program.load(program("tp_btf", "sched_switch"), [], btf, door=door) as loaded:
        (seen,) = door.of(FakeProgram)
        assert isinstance(seen, FakeProgram)
        assert (seen.type, seen.expected_attach_type, seen.insns) == (26, 23, RETURN)
        assert seen.attach_btf_id == attach_id(loaded.spec, btf)
        info = loaded.info()
        assert (info.name, info.type, info.verified_insns) == ("probe", 26, 2)
    assert door.open == {}


def test_a_tc_program_is_loaded_without_an_attach_type_which_its_link_has(door: FakeDoor) -> None:
    with Program.load(program("tcx_ingress", ""), [], door=door):
        (seen,) = door.of(FakeProgram)
        assert isinstance(seen, FakeProgram)
        assert seen.expected_attach_type == 0


def test_maps_are_given_in_the_order_of_the_spec(door: FakeDoor) -> None:
    array = MapSpec("a", MapType.ARRAY, u32, u32, 1)
    spec = program(insns=LOAD_MAP + RETURN, references=(MapReference(0, 1),), maps=(HASH, array))
    one, two = Map.create(HASH, door=door), Map.create(array, door=door)
    with Program.load(spec, [one, two], door=door):
        (seen,) = door.of(FakeProgram)
        assert isinstance(seen, FakeProgram)
        assert struct.unpack_from("<i", seen.insns, 4)[0] == two.fd


LOG = "0: (95) exit\nR0 !read_ok\nprocessed 1 insns (limit 1000000)\n"


def test_a_refusal_of_the_verifier_keeps_its_whole_log(door: FakeDoor) -> None:
    door.refuse(Command.PROG_LOAD, errno.EACCES, log=LOG, times=2)
    with pytest.raises(VerifierError) as caught:
        Program.load(program(), [], door=door)
    assert caught.value.log == LOG
    assert door.open == {}


def test_a_log_that_does_not_fit_is_asked_for_again_with_more_room(door: FakeDoor) -> None:
    long = "x" * 100_000 + "\n" + LOG
    door.refuse(Command.PROG_LOAD, errno.EINVAL, log=long, times=3)
    with pytest.raises(VerifierError) as caught:
        Program.load(program(), [], door=door)
    assert caught.value.log == long


def test_of_a_program_that_is_too_large_the_end_of_the_log_is_enough(door: FakeDoor) -> None:
    long = "x" * 100_000 + "\n" + LOG
    door.refuse(Command.PROG_LOAD, errno.E2BIG, log=long, times=2)
    with pytest.raises(VerifierError) as caught:
        Program.load(program(), [], door=door)
    assert caught.value.log.endswith(LOG)
    assert len(caught.value.log) < len(long)


def test_a_refusal_without_a_log_is_a_policy_or_a_missing_capability(door: FakeDoor) -> None:
    door.refuse(Command.PROG_LOAD, errno.EPERM, times=2)
    with pytest.raises(Unsupported, match="policy of this host"):
        Program.load(program(), [], door=door)
    door.mask = 1 << 39  # CAP_BPF alone
    door.refuse(Command.PROG_LOAD, errno.EPERM, times=2)
    with pytest.raises(Forbidden, match="CAP_PERFMON"):
        Program.load(program(), [], door=door)


def test_a_log_of_nothing_read_is_no_log(door: FakeDoor) -> None:
    nothing = "processed 0 insns (limit 1000000) max_states_per_insn 0 total_states 0\n"
    door.refuse(Command.PROG_LOAD, errno.EPERM, log=nothing, times=2)
    with pytest.raises(Unsupported, match="policy of this host"):
        Program.load(program(), [], door=door)


def test_a_refusal_that_nobody_explains_names_the_call_the_program_and_the_errno(
    door: FakeDoor,
) -> None:
    door.refuse(Command.PROG_LOAD, errno.EINVAL, times=2)
    with pytest.raises(KernelError, match=r"BPF_PROG_LOAD \(raw_tp\) of probe: .*EINVAL"):
        Program.load(program(), [], door=door)


def test_a_test_run_gives_the_packet_back(door: FakeDoor) -> None:
    with Program.load(program("xdp", ""), [], door=door) as loaded:
        run = loaded.test_run(bytes(range(20)))
    assert (run.retval, run.data) == (0, bytes(range(20)))


def test_a_program_is_pinned_under_a_name(door: FakeDoor) -> None:
    with Program.load(program(), [], door=door) as loaded:
        loaded.pin("/pins/probe")
    assert isinstance(door.pins["/pins/probe"], FakeProgram)
