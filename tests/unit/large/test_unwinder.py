"""The unwinder as plain Python: stacks that were laid out by rules are walked back, without root and a kernel."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.large.unwinder import layout, state
from examples.large.unwinder.mappings import prefixes
from examples.large.unwinder.program import on_sample
from examples.large.unwinder.rules import OUTERMOST, UNKNOWN
from examples.large.unwinder.state import (
    DEPTH,
    FILE_SHIFT,
    LOW,
    RULES,
    Base,
    End,
    Kind,
    Limits,
    Mapping,
    Rule,
    Rules,
    Saved,
    Slab,
    Stack,
)
from examples.large.unwinder.table import Table
from skep import FakeKernel, u64
from tests.unit.node.programs.memory import Memory

PID = 77
TOP = 0x7FFF_0000_0000
START = {1: 0x7F00_0000_0000, 2: 0x7F00_4000_0000}
"""Where files of 128 KiB are mapped, by their numbers."""
SIZE = 1 << 17
FUNCTION, FRAME = 64, 128
"""Bytes of a function, and of what it takes of the stack."""
HELD = [
    OUTERMOST,
    Rule(Kind.OFFSET, Base.RSP, offset=FRAME),
    Rule(Kind.OFFSET, Base.RSP, Saved.BY_CFA, offset=FRAME, rbp=-16),
    Rule(Kind.OFFSET, Base.RSP, Saved.BY_CFA, offset=FRAME, rbp=-56),
    Rule(Kind.OFFSET, Base.RSP, Saved.BY_RSP, offset=FRAME, rbp=24),
    Rule(Kind.OFFSET, Base.RBP, Saved.BY_CFA, offset=64, rbp=-16),
    Rule(Kind.OFFSET, Base.RBP, Saved.BY_RBP, offset=64, rbp=8),
    Rule(Kind.DEREFERENCED, Base.RSP, offset=16, more=8),
    Rule(Kind.DEREFERENCED, Base.RSP, Saved.BY_CFA, offset=0, more=-24, rbp=-24),
    Rule(Kind.DEREFERENCED, Base.RBP, Saved.BY_RBP, offset=-8),
    Rule(Kind.SIGNAL, Base.RSP, offset=120),
    UNKNOWN,
    Rule(Kind.PLT, Base.RSP, offset=8, more=11),
]
"""The rule of each function, which lies where its number says."""
PLAIN, SIGNAL, NO_RULE, PLT = 1, 10, 11, 12
JUNK = 0xBAD


@dataclass(frozen=True, slots=True)
class Call:
    """A place in a function of a file, from which the next is called."""

    function: int
    file: int = 1
    place: int = 5

    @property
    def address(self) -> int:
        return START[self.file] + self.function * FUNCTION + self.place

    @property
    def frame(self) -> int:
        return self.file << FILE_SHIFT | self.address - START[self.file]


@dataclass
class Process:
    """Registers, and a stack that calls lay out from its top down."""

    pc: int = 0
    sp: int = TOP
    bp: int = JUNK
    words: dict[int, int] = field(default_factory=dict)
    back: int = 0

    def run(self, calls: list[Call]) -> "Process":
        for one in calls:
            rule = HELD[one.function]
            enter = self.interrupt if rule.kind == Kind.SIGNAL else self.call
            enter(rule)
            self.pc, self.back = one.address, one.address + 1
        return self

    def call(self, rule: Rule) -> None:
        """What a call and the function's first instructions leave behind."""
        cfa, before = self.sp, self.bp
        self.words[cfa - 8] = self.back
        self.sp = cfa - FRAME
        if rule.base == Base.RBP:
            self.bp = cfa - 64
        elif rule.saved:
            self.bp = JUNK
        base = self.bp if rule.base == Base.RBP else self.sp
        if rule.kind == Kind.DEREFERENCED:
            self.words[base + rule.offset] = cfa - rule.more
        saved = {Saved.BY_CFA: cfa, Saved.BY_RBP: self.bp, Saved.BY_RSP: self.sp}.get(
            Saved(rule.saved)
        )
        if saved is not None:
            self.words[saved + rule.rbp] = before

    def interrupt(self, rule: Rule) -> None:
        """What the kernel leaves behind before a handler runs."""
        at = self.sp - 512
        kept = [self.bp, JUNK, JUNK, JUNK, JUNK, self.sp, self.pc]
        self.words |= {at + rule.offset + 8 * number: word for number, word in enumerate(kept)}
        self.sp, self.bp = at, JUNK

    def memory(self) -> Memory:
        found = Memory()
        low = min(self.words, default=TOP)
        data = bytearray(TOP - low)
        for at, word in self.words.items():
            data[at - low : at - low + 8] = word.to_bytes(8, "little")
        found.pieces[low] = bytes(data)
        return found

    @property
    def registers(self) -> SimpleNamespace:
        return SimpleNamespace(ip=u64(self.pc), sp=u64(self.sp), bp=u64(self.bp))


@pytest.fixture(scope="module")
def kernel() -> FakeKernel:
    """With the tables of a file of these functions, which is there twice, under two numbers."""
    made = FakeKernel()
    made.task.pid = PID
    table = Table([at * FUNCTION for at in range(len(HELD) + 1)], [*HELD, UNKNOWN])
    numbers, slabs = layout.Numbers(), layout.Slabs()
    for file, start in START.items():
        placed = [(page, slabs.place(file, rows)) for page, rows in layout.pages(table, numbers)]
        for key, page in layout.keyed(file, placed).items():
            made[state.pages][key] = page
        for place in prefixes(PID, start, start + SIZE):
            made[state.mappings][place] = Mapping(start, start + SIZE, start, file)
    for number, rows in slabs.rows.items():
        made[state.slabs][number] = {0: Slab.from_bytes(rows.tobytes())}
    known = dict(numbers.taken())
    made[state.rules][0] = Rules([known.get(number, UNKNOWN) for number in range(RULES)])
    made[state.watched][PID] = 1
    return made


def sampled(kernel: FakeKernel, process: Process, *, frames: int = DEPTH) -> Stack:
    """The stack that a sample counts."""
    kernel[state.limits][0] = Limits(frames)
    kernel[state.stacks].clear()
    kernel.helpers["probe_read_user"] = process.memory().read
    on_sample.py(SimpleNamespace(regs=process.registers), kernel=kernel)
    ((key, found),) = kernel[state.stacks].items()
    assert (key.pid, found.count) == (PID, 1)
    return found  # type: ignore[no-any-return]


def walked(kernel: FakeKernel, process: Process, *, frames: int = DEPTH) -> tuple[End, list[int]]:
    found = sampled(kernel, process, frames=frames)
    return End(found.end), found.frames[: found.depth]


calls = st.builds(
    Call,
    st.integers(1, SIGNAL),
    st.sampled_from(sorted(START)),
    st.integers(0, FUNCTION - 1),
)
chains = st.lists(calls, max_size=12).map(lambda chain: [Call(0), Call(PLAIN), *chain, Call(PLAIN)])


@settings(deadline=None, max_examples=60)
@given(chains)
def test_a_stack_is_walked_back_to_its_first_call(kernel: FakeKernel, chain: list[Call]) -> None:
    end, frames = walked(kernel, Process().run(chain))
    assert (end, frames) == (End.COMPLETE, [one.frame for one in reversed(chain)])


@pytest.mark.parametrize(("place", "sp"), [(10, TOP - 8), (11, TOP - 16), (15, TOP - 16)])
def test_in_a_plt_entry_the_stack_depends_on_the_place(
    kernel: FakeKernel, place: int, sp: int
) -> None:
    process = Process(words={TOP - 8: Call(0).address + 1}, sp=sp)
    process.pc = Call(PLT, place=place).address
    assert walked(kernel, process)[0] == End.COMPLETE


def test_no_more_frames_than_the_limit_are_walked(kernel: FakeKernel) -> None:
    chain = [Call(0), *[Call(1 + at % 3) for at in range(DEPTH + 10)]]
    expected = [one.frame for one in reversed(chain)]
    process = Process().run(chain)
    assert walked(kernel, process) == (End.DEEP, expected[:DEPTH])
    assert walked(kernel, process, frames=7) == (End.DEEP, expected[:7])


CHAIN = [Call(PLAIN), Call(2), Call(5)]


def test_a_walk_says_why_it_ended(kernel: FakeKernel) -> None:
    whole = Process().run([Call(0), *CHAIN])
    frames = [one.frame for one in reversed(CHAIN)]
    none = Call(NO_RULE)
    assert walked(kernel, Process().run([none, *CHAIN])) == (End.NO_RULE, [*frames, none.frame])
    for word, end, last in (
        (0x1234, End.UNMAPPED, 0x1233),
        (0, End.UNMAPPED, LOW),
        (START[1] + (1 << 16) + 1, End.NO_TABLE, 1 << FILE_SHIFT | 1 << 16),
    ):
        words = {TOP - 8 - FRAME: word}
        known, found = walked(kernel, Process(whole.pc, whole.sp, whole.bp, whole.words | words))
        assert (known, found[: len(frames)]) == (end, frames)
        assert found[len(frames) :] == [last]
    assert walked(kernel, Process(Call(5).address, TOP - 64, TOP - 256)) == (
        End.BACKWARDS,
        frames[:1],
    )
    assert walked(kernel, Process(Call(2).address, TOP - 64)) == (End.UNREADABLE, [frames[1]])
    assert walked(kernel, Process(Call(PLAIN).address, TOP)) == (End.UNREADABLE, [frames[2]])
    assert walked(kernel, Process(Call(7).address, TOP)) == (End.UNREADABLE, [Call(7).frame])
    assert walked(kernel, Process(Call(SIGNAL).address, TOP)) == (
        End.UNREADABLE,
        [Call(SIGNAL).frame],
    )


def test_equal_stacks_are_counted_under_one_key(kernel: FakeKernel) -> None:
    process = Process().run([Call(0), *CHAIN])
    sampled(kernel, process)
    before = sum(kernel[state.ends][End.COMPLETE])
    for _ in range(3):
        on_sample.py(SimpleNamespace(regs=process.registers), kernel=kernel)
    (found,) = kernel[state.stacks].values()
    assert (found.count, found.depth) == (4, 4)
    assert sum(kernel[state.ends][End.COMPLETE]) == before + 3
    process.pc += 1
    on_sample.py(SimpleNamespace(regs=process.registers), kernel=kernel)
    assert sorted(one.count for one in kernel[state.stacks].values()) == [1, 4]


def test_in_the_kernel_the_registers_are_those_that_user_space_had(kernel: FakeKernel) -> None:
    process = Process().run([Call(0), *CHAIN])
    kernel.helpers |= {
        "probe_read_user": process.memory().read,
        "get_current_task_btf": lambda: "task",
        "task_pt_regs": {"task": process.registers}.get,
    }
    kernel[state.stacks].clear()
    inside = SimpleNamespace(ip=u64(0xFFFF_FFFF_8100_0000), sp=u64(1), bp=u64(1))
    on_sample.py(SimpleNamespace(regs=inside), kernel=kernel)
    (found,) = kernel[state.stacks].values()
    assert (found.end, found.depth) == (End.COMPLETE, 4)
    process.sp = 0
    kernel.helpers["task_pt_regs"] = {"task": process.registers}.get
    on_sample.py(SimpleNamespace(regs=inside), kernel=kernel)
    assert sum(kernel[state.ends][End.NO_REGISTERS]) == 1
    assert [one.count for one in kernel[state.stacks].values()] == [1]


def test_who_is_not_watched_is_not_sampled(kernel: FakeKernel) -> None:
    kernel[state.stacks].clear()
    kernel.task.pid = PID + 1
    on_sample.py(SimpleNamespace(regs=Process().registers), kernel=kernel)
    kernel.task.pid = PID
    assert len(kernel[state.stacks]) == 0
