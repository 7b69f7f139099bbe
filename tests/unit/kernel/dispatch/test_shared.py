"""The hook that all system calls share: gate, bitmap and subscribers. On the fake kernel, and as plain Python."""

import errno
import struct
from dataclasses import replace
from types import SimpleNamespace

import pytest

from skep.base.errors import BadInput, KernelError
from skep.btf.reader import Btf
from skep.btf.types import Param
from skep.btf.writer import Builder
from skep.kernel.commands import Command
from skep.kernel.dispatch.owner import ENTER, EXIT, Dispatcher
from skep.kernel.dispatch.plan import SyscallSubscriber
from skep.kernel.dispatch.programs import gates
from skep.kernel.dispatch.syscalls import Gate, wanted_bits
from skep.kernel.links import attach
from skep.kernel.maps import Map
from skep.kernel.programs import Program
from skep.lang.maps import MMAPABLE
from skep.lang.plain.kernel import FakeKernel
from skep.lang.programs import Program as Source
from skep.lang.spec import MapSpec, MapType
from skep.lang.syscall_numbers import LIMIT, NUMBERS
from skep.lang.types import u32
from skep.testing.door import FakeDoor
from skep.testing.fake_maps import FakeMap
from skep.testing.fake_objects import FakeLink, FakeProgram
from tests.unit.kernel.samples import program

NEXT = MapSpec("next", MapType.PROG_ARRAY, u32, u32, 1)
BITS = MapSpec("bits", MapType.ARRAY, u32, gates.Wanted, 1, MMAPABLE)


class Machine:
    """A fake kernel, its gate, and subscribers."""

    def __init__(self) -> None:
        self.door, self.gates = FakeDoor(), list[Gate]()
        make = Builder()
        nothing = make.prototype(0, [Param("", 0)])
        for side in (ENTER, EXIT):
            make.typedef(f"btf_trace_{side}", make.ptr(nothing))
        self.btf = Btf(make.build())

    def load(self, kind: str, side: str = ENTER, calls: tuple[str, ...] = ()) -> Program:
        spec = replace(program(kind, side, maps=(NEXT,)), next=0, calls=calls)
        return Program.load(spec, [Map.create(NEXT, door=self.door)], self.btf, door=self.door)

    def gate(self) -> Gate:
        bits = Map.create(BITS, door=self.door)
        self.gates.append(Gate(self.load("tp_btf"), bits, (bits,)))
        return self.gates[-1]

    def bits(self) -> set[int]:
        words = struct.unpack("<8Q", bytes(self.gates[-1].wanted.memory()))
        return {i for i in range(LIMIT) if words[i // 64] >> i % 64 & 1}

    def links(self) -> list[FakeLink]:
        return [one for one in self.door.of(FakeLink) if isinstance(one, FakeLink)]


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_the_gate_is_there_while_somebody_is_behind_it(machine: Machine) -> None:
    owner = Dispatcher(rates={})
    one, two = (
        owner.attach_shared(machine.load("syscall_raw", calls=(name,)), machine.gate)
        for name in ("read", "openat")
    )
    assert len(machine.gates) == len(machine.links()) == 1
    assert owner.behind(ENTER) == 2
    assert owner.behind(EXIT) == 0
    assert machine.bits() == {NUMBERS["read"], NUMBERS["openat"]}
    one.close()
    assert machine.bits() == {NUMBERS["openat"]}
    two.close()
    assert machine.links() == []
    programs = [one for one in machine.door.of(FakeProgram) if isinstance(one, FakeProgram)]
    assert len(programs) == 2  # the subscribers, which are their loader's
    maps = [one for one in machine.door.of(FakeMap) if isinstance(one, FakeMap)]
    assert sum(one.name == "bits" for one in maps) == 0


def test_a_gate_that_cannot_be_attached_leaves_nothing(machine: Machine) -> None:
    owner = Dispatcher(rates={})
    subscriber = machine.load("syscall_raw", calls=("read",))
    machine.door.refuse(Command.RAW_TRACEPOINT_OPEN, errno.EINVAL)
    with pytest.raises(KernelError):
        owner.attach_shared(subscriber, machine.gate)
    assert machine.links() == []
    assert owner.behind(ENTER) == 0
    with owner.attach_shared(subscriber, machine.gate):
        assert owner.behind(ENTER) == 1


def test_who_names_no_call_wants_all() -> None:
    assert wanted_bits([("read",), ()]) == (1 << LIMIT) - 1
    assert wanted_bits([("read", "write"), ("write",)]) == 0b11
    assert wanted_bits([("file_setattr",)]) == 1 << 469


def test_who_comes_later_joins_what_is_there(machine: Machine) -> None:
    owner = Dispatcher(rates={"read": 1.0, "getpid": 1e6})
    rare = [SyscallSubscriber("a", ("read",))]
    assert (plan := owner.plan(rare, ENTER)) is not None
    assert not plan.raw
    with owner.attach_shared(machine.load("syscall_raw"), machine.gate):
        assert (plan := owner.plan(rare, ENTER)) is not None
        assert plan.raw
        at_exit = [SyscallSubscriber("a", ("read",), at_exit=True)]
        assert (plan := owner.plan(at_exit, EXIT)) is not None
        assert not plan.raw


def test_a_call_without_a_number_has_its_own_tracepoint_only(machine: Machine) -> None:
    owner = Dispatcher(rates={"new_call": 1e6})
    new = [SyscallSubscriber("a", ("new_call",))]
    for_one = owner.plan(new, ENTER)
    owner.attach_shared(machine.load("syscall_raw"), machine.gate)
    beside = owner.plan(new, ENTER)
    assert for_one is not None
    assert beside is not None
    assert not for_one.raw
    assert not beside.raw


def test_a_program_for_the_shared_hook_is_attached_by_its_owner_only(machine: Machine) -> None:
    with pytest.raises(BadInput, match="Dispatcher"):
        attach(machine.load("syscall_raw"))


# --- the gates as plain Python ------------------------------------------------------------------------------------


def passes(gate: Source, number: int, *, wanted: int = 257, status: int = 0) -> bool:
    """What a gate says of a call, where the bitmap has ``wanted``."""
    task = SimpleNamespace(thread_info=SimpleNamespace(status=status))
    kernel = FakeKernel(helpers={"get_current_task_btf": lambda: task})
    words = [1 << wanted % 64 if at == wanted // 64 else 0 for at in range(LIMIT // 64)]
    for bits in (gates.entries, gates.exits):
        kernel[bits][0] = gates.Wanted(bits=words)
    arguments = (SimpleNamespace(orig_ax=number), number if gate is gates.ENTER else 0)
    return gate.py(*arguments, kernel=kernel) == gates.GO_ON


@pytest.mark.parametrize("gate", [gates.ENTER, gates.EXIT], ids=["enter", "exit"])
def test_a_gate_lets_pass_what_is_wanted_and_nothing_else(gate: Source) -> None:
    assert passes(gate, 257)
    assert not any(passes(gate, number) for number in (256, 258, 1, 257 - 64, 257 - 256))
    assert passes(gate, 0, wanted=0)
    assert passes(gate, 511, wanted=511)


@pytest.mark.parametrize("gate", [gates.ENTER, gates.EXIT], ids=["enter", "exit"])
def test_a_gate_stops_calls_of_other_tables(gate: Source) -> None:
    assert not passes(gate, 257, status=gates.COMPAT)
    assert not passes(gate, 257 | 1 << 30)
    assert not passes(gate, (1 << 64) - 1)
    assert not passes(gate, 512 + 257)


def test_calls_are_counted_by_number() -> None:
    task = SimpleNamespace(thread_info=SimpleNamespace(status=0))
    kernel = FakeKernel(helpers={"get_current_task_btf": lambda: task})
    for number in (39, 39, 512, 1 << 30 | 39):
        gates.sys_enter_count.py(None, number, kernel=kernel)
    task.thread_info.status = gates.COMPAT
    gates.sys_enter_count.py(None, 39, kernel=kernel)
    assert sum(kernel[gates.called][39]) == 2
