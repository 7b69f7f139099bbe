"""The body of one function while it is written: registers, blocks, stack slots, and the current place in the source."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from skep.base.errors import Span
from skep.base.frozen import frozen
from skep.lang.chains import Chain
from skep.lang.check.loops import Lowering, Lowerings
from skep.lang.emit.text import Module, llvm_type
from skep.lang.maps import Declaration
from skep.lang.tree import Expr, For, Function, Node, Reserve, While
from skep.lang.values import Memory, Pointer, Type

READ = "ptr readonly captures(none)"
"""The type of an argument whose memory a helper only reads, and does not keep."""
WRITTEN = "ptr captures(none)"
"""The same of one whose memory it may write."""


class Value(NamedTuple):
    """An operand. ``ok`` is the flag that goes with a pointer into a packet: whether it is not None."""

    text: str
    ok: str | None = None


FLAGGED = frozenset({Memory.PACKET, Memory.STACK})
"""Memory whose pointers carry a flag: they are never null to the verifier, or forget their bounds where they may be."""


def paired(kind: Type) -> bool:
    """Whether values of a type carry a flag, which says whether they are not None."""
    return isinstance(kind, Pointer) and kind.nullable and kind.memory in FLAGGED


@frozen
class Plan:
    """What is known of a whole program while it is written."""

    symbols: Callable[[Function], str]
    index: Callable[[Declaration], int]
    unset: Callable[[Reserve], tuple[tuple[int, int], ...]]
    lowering: Lowerings
    sizes: Callable[[Function], frozenset[str]]
    rules: dict[type[Expr], Callable[["Writer", Any], Value]]
    statements: dict[type[Node], Callable[["Writer", Any], None]]


@dataclass(slots=True)
class Writer:
    """Writes one function of LLVM. ``frame`` has the offsets of variables that it shares with functions of loops.

    ``outlined``: it is the body of a loop of ``function``, which bpf_loop calls. ``slots`` are lines too, each once.
    """

    module: Module
    function: Function
    scope: int
    plan: Plan
    frame: dict[str, int] = field(default_factory=dict)
    outlined: bool = False
    iterators: list[Callable[[], None]] = field(default_factory=list)
    slots: dict[str, None] = field(default_factory=dict)
    body: list[str] = field(default_factory=list)
    breaks: list[str] = field(default_factory=list)
    continues: list[str] = field(default_factory=list)
    leaves: list[str] = field(default_factory=list)
    once: dict[int, Value] = field(default_factory=dict)
    chain: Chain | None = None
    done: bool = False
    block: str = "entry"
    _count: int = 0
    _debug: str = ""

    def at(self, span: Span) -> None:
        """From here on, instructions belong to ``span``."""
        self._debug = f", !dbg !{self.module.place(self.scope, span)}"

    @property
    def debug(self) -> str:
        """The suffix that names the current place."""
        return self._debug

    def restore(self, debug: str) -> None:
        """Go back to an earlier place."""
        self._debug = debug

    def end_iterators(self) -> None:
        """End the iterators of the loops around this place, for the function is left."""
        for one in reversed(self.iterators):
            one()

    def name(self, prefix: str = "t") -> str:
        """A fresh name."""
        self._count += 1
        return f"{prefix}{self._count}"

    def do(self, text: str) -> None:
        """An instruction without a result."""
        if not self.done:
            self.body.append(f"  {text}{self._debug}")

    def get(self, text: str) -> str:
        """An instruction with a result; its register."""
        register = f"%{self.name()}"
        self.do(f"{register} = {text}")
        return register

    def start(self, label: str) -> None:
        """Begin a block; a block that is still open falls into it."""
        if not self.done:
            self.body.append(f"  br label %{label}{self._debug}")
        self.body.append(f"{label}:")
        self.done, self.block = False, label

    def jump(self, label: str) -> None:
        """End the block."""
        self.do(f"br label %{label}")
        self.done = True

    def branch(self, test: str, then: str, other: str) -> None:
        """End the block in two ways."""
        self.do(f"br i1 {test}, label %{then}, label %{other}")
        self.done = True

    def slot(self, name: str, kind: str, align: int = 8) -> str:
        """A stack slot, made once; its address."""
        address = f'%"{name}"'
        self.slots[f"  {address} = alloca {kind}, align {align}"] = None
        return address

    def stack(self, name: str, size: int) -> str:
        """A stack slot of ``size`` bytes."""
        return self.slot(f"s.{name}", f"[{size} x i8]")

    def variable(self, name: str, kind: Type) -> str:
        """The address of a variable."""
        if name in self.frame:
            return self.framed(name)
        return self.slot(f"v.{name}", llvm_type(kind))

    def framed(self, name: str) -> str:
        """The address of what the frame holds under a name."""
        address = f'%"f.{name}"'
        place = f"getelementptr inbounds i8, ptr %frame, i64 {self.frame[name]}"
        self.slots[f"  {address} = {place}"] = None
        return address

    def flag(self, name: str) -> str:
        """The address of the flag that goes with a variable."""
        if f"ok.{name}" in self.frame:
            return self.framed(f"ok.{name}")
        return self.slot(f"ok.{name}", "i1")

    def map(self, declared: Declaration) -> str:
        """A map as an operand."""
        index = self.plan.index(declared)
        self.module.maps.add(index)
        return f"@map.{index}"

    def use(self, intrinsic: str) -> None:
        """Declare an LLVM intrinsic."""
        self.module.used.add(intrinsic)

    def expr(self, node: Expr) -> Value:
        """Write an expression."""
        before = self._debug
        self.at(node.span)
        value = self.plan.rules[type(node)](self, node)
        self._debug = before
        return value

    def write(self, nodes: tuple[Node, ...]) -> None:
        """Write statements."""
        for node in nodes:
            self.at(node.span)
            self.plan.statements[type(node)](self, node)

    def symbols(self, function: Function) -> str:
        """The name of a function in the module."""
        return self.plan.symbols(function)

    def unset(self, node: Reserve) -> tuple[tuple[int, int], ...]:
        """The bytes of a record that nothing sets."""
        return self.plan.unset(node)

    def lowering(self, node: For | While) -> Lowering:
        """How a loop runs."""
        return self.plan.lowering(node)

    def offset(self, pointer: str, amount: int | str) -> str:
        """``pointer`` plus bytes."""
        if amount == 0:
            return pointer
        return self.get(f"getelementptr inbounds i8, ptr {pointer}, i64 {amount}")

    def flat(self, value: Value) -> str:
        """A pointer without its flag: null where it is None."""
        if value.ok is None:
            return value.text
        return self.get(f"select i1 {value.ok}, ptr {value.text}, ptr null")

    def opaque(self, kind: str, value: str) -> str:
        """The same number, of which LLVM knows nothing: for what only the verifier has to see."""
        narrow = kind != "i64"
        wide = self.get(f"zext {kind} {value} to i64") if narrow else value
        hidden = self.get(f'call i64 asm sideeffect "", "=r,0"(i64 {wide})')
        return self.get(f"trunc i64 {hidden} to {kind}") if narrow else hidden

    def concealed(self, kind: str, value: str) -> str:
        """The same number, of which LLVM knows its width alone: it leaves out no test and no mask."""
        if kind == "i64":
            return self.opaque(kind, value)
        wide = self.get(f"zext {kind} {value} to i32") if kind != "i32" else value
        hidden = self.get(f'call i32 asm sideeffect "", "=w,0"(i32 {wide})')
        return hidden if kind == "i32" else self.get(f"trunc nuw i32 {hidden} to {kind}")

    def unknown(self, kind: str, value: str) -> str:
        """The same number, concealed, of which the verifier knows that it has no more bits than its kind.

        32 bits are added to 0: older verifiers do not know that what was turned has not more. Fewer are cut by a test.
        """
        hidden = self.concealed(kind, value)
        if kind != "i32":
            return hidden
        cut = self.get(f"add i32 {hidden}, {self.nothing('i32')}")
        return self.get(f'call i32 asm sideeffect "", "=w,0"(i32 {cut})')

    def nothing(self, kind: str) -> str:
        """0, of which LLVM knows nothing."""
        if kind == "i64":
            return self.opaque(kind, "0")
        hidden = self.get('call i32 asm sideeffect "", "=w,0"(i32 0)')
        return hidden if kind == "i32" else self.get(f"trunc nuw i32 {hidden} to {kind}")

    def keep_apart(self) -> None:
        """An empty instruction, behind which LLVM joins no test with one before it."""
        self.do('call void asm sideeffect "", ""()')

    def accessed(self, kind: Memory) -> None:
        """Behind an access to memory: an empty instruction that LLVM joins with that behind another access only.

        No instruction reaches an arena on one path and other memory on another.
        """
        if kind is Memory.ARENA:
            self.do('call void asm sideeffect "", "i"(i32 0)')

    def helper(self, number: int, args: str, result: str = "i64") -> str:
        """Call a kernel helper; its result's register."""
        return self.get(f"call {result} inttoptr (i64 {number} to ptr)({args})")
