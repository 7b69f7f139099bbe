"""The typed tree between the front end and the emitter: every node has its type and its place in the user's source."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from functools import cache, cached_property
from operator import attrgetter
from typing import Any

from skep.base.errors import Span
from skep.base.frozen import distinct
from skep.lang.helpers import Helper
from skep.lang.layout import Bitfield
from skep.lang.maps import Declaration, Ring
from skep.lang.struct import StructType
from skep.lang.values import Type


@distinct
class Node:
    """What all nodes have."""

    span: Span


@distinct
class Expr(Node):
    """A value."""

    type: Type


@distinct
class Const(Expr):
    """An integer known while compiling."""

    value: int


@distinct
class NoneValue(Expr):
    """``None`` as a pointer."""


@distinct
class StaticValue(Expr):
    """A Python object known while compiling."""


@distinct
class Local(Expr):
    """A variable's value."""

    name: str


@distinct
class Argument(Expr):
    """Slot ``index`` of a program's context, 8 bytes, as the node's type."""

    index: int


@distinct
class ContextValue(Expr):
    """The program's context."""


@distinct
class Place(Node):
    """Memory: ``base`` (a pointer) plus ``offset`` bytes plus, where there is one, ``index`` times ``stride`` bytes."""

    type: Type
    base: Expr
    offset: int = 0
    index: Expr | None = None
    stride: int = 0
    bits: Bitfield | None = None


@distinct
class Load(Expr):
    """The number or pointer at a place."""

    place: Place


@distinct
class Address(Expr):
    """The address of a place."""

    place: Place


@distinct
class Binary(Expr):
    """Arithmetic on two operands of the node's type."""

    op: str
    left: Expr
    right: Expr


@distinct
class Compare(Expr):
    """``left op right``, both of one type."""

    op: str
    left: Expr
    right: Expr


@distinct
class IsNone(Expr):
    """Whether a pointer is None."""

    operand: Expr


@distinct
class Not(Expr):
    """Boolean negation."""

    operand: Expr


@distinct
class Logic(Expr):
    """``and`` or ``or``: evaluated from the left, as far as needed."""

    op: str
    operands: tuple[Expr, ...]


@distinct
class Convert(Expr):
    """An integer or truth value as another integer type."""

    operand: Expr


@distinct
class Select(Expr):
    """``then if test else other``; only one of the two is evaluated."""

    test: Expr
    then: Expr
    other: Expr


@distinct
class HelperCall(Expr):
    """A call of a kernel helper; arguments are in the helper's own order, sizes included."""

    helper: Helper
    args: tuple[Expr, ...]
    writes: tuple[Place, ...] = ()


@distinct
class KernelCall(Expr):
    """A call of a kernel function: its name, with that of its module as ``symbol``, and its parameters' types."""

    name: str
    symbol: str
    kinds: tuple[Type, ...]
    args: tuple[Expr, ...]


@distinct
class SubCall(Expr):
    """A call of another compiled function; several results go to stack slot ``out``."""

    function: "Function"
    args: tuple[Expr, ...]
    out: str = ""


@distinct
class Item(Expr):
    """One of several results, in the stack slot of ``size`` bytes that a call filled."""

    slot: str
    size: int
    index: int


@distinct
class Together(Expr):
    """Several values, as a function returns them."""

    items: tuple[Expr, ...]


@distinct
class MapAddress(Expr):
    """A map, as an argument of a helper."""

    map: Declaration


@distinct
class ValueAddress(Expr):
    """The address of a Global's value."""

    map: Declaration


@distinct
class Build(Expr):
    """Memory made in stack slot ``slot``: zero, then filled by statements; the node's value is its address."""

    slot: str
    stores: tuple["Store | Copy | Write | Evaluate", ...] = ()


@distinct
class Slot(Expr):
    """The address of stack slot ``slot``."""

    slot: str


@distinct
class Spill(Expr):
    """A value put into stack slot ``slot``; the node's value is its address."""

    slot: str
    value: "Expr | Place"


@distinct
class MapCall(Expr):
    """A method of a map: ``lookup``, ``update``, ``delete``, ``increment`` ...; key and value are in memory.

    ``via`` gives the map where it was found in another one; ``map`` is its pattern then.
    """

    method: str
    map: Declaration
    args: tuple[Expr, ...]
    via: Expr | None = None


@distinct
class Callback(Expr):
    """A function that a helper calls, as an argument; ``shape`` names what the kernel hands to it."""

    function: "Function"
    shape: str


@distinct
class ReferenceCall(Expr):
    """``set`` or ``clear`` of the reference of type ``reference`` that the first argument points at."""

    action: str
    reference: Any
    args: tuple[Expr, ...]


@distinct
class Reserve(Expr):
    """A record reserved in a ring, with its header stamped; a ``tail`` of bytes is in the dynptr at ``room``."""

    ring: Ring
    record: StructType
    tail: Expr | None = None
    room: Expr | None = None


@distinct
class Release(Expr):
    """``submit`` or ``discard`` of the record that variable ``name`` holds, and the dynptr in ``room``."""

    action: str
    ring: Ring
    pointer: Expr
    name: str
    room: Expr | None = None


@distinct
class View(Expr):
    """The bytes of a packet from ``offset`` on as the type pointed at, or None where the packet is too short.

    The ends are fields of the context: of 8 bytes where they are ``wide``, else of 4.
    """

    context: Expr
    offset: Expr
    start_field: int
    end_field: int
    wide: bool = False


@distinct
class Atomic(Expr):
    """An atomic operation on an integer in memory; its value is the old one."""

    op: str
    place: Place
    operand: Expr
    expected: Expr | None = None


@distinct
class Once(Expr):
    """A value that stands in several places of one expression: worked out at the first, which is always reached."""

    operand: Expr


@distinct
class Opaque(Expr):
    """A value of which LLVM is to know nothing, so that it keeps the bound that the source puts on it."""

    operand: Expr


@distinct
class Swap(Expr):
    """The bytes of an integer reversed; ``read``: as it was read from where it lies in network order."""

    operand: Expr
    read: bool = False


@distinct
class Assign(Node):
    """A variable gets a value of its type."""

    name: str
    value: Expr


@distinct
class Store(Node):
    """An integer or pointer goes to memory."""

    place: Place
    value: Expr


@distinct
class Copy(Node):
    """``size`` bytes go from one place to another."""

    target: Place
    source: Place
    size: int


@distinct
class Write(Node):
    """Bytes that are known while compiling go to memory."""

    place: Place
    data: bytes


@distinct
class Zero(Node):
    """``size`` bytes of a place become zero."""

    place: Place
    size: int


@distinct
class Evaluate(Node):
    """An expression for its effect."""

    value: Expr


@distinct
class If(Node):
    """A branch."""

    test: Expr
    then: tuple[Node, ...]
    other: tuple[Node, ...]


@distinct
class For(Node):
    """``for name in range(start, stop, step)``; ``step`` is a constant other than 0."""

    name: str
    type: Type
    start: Expr
    stop: Expr
    step: int
    body: tuple[Node, ...]


@distinct
class While(Node):
    """``while test``. One over an iterator of the kernel's has the call that ends it, for those that return within."""

    test: Expr
    body: tuple[Node, ...]
    end: Expr | None = None


@distinct
class Break(Node):
    """Leaves the innermost loop."""


@distinct
class Continue(Node):
    """Goes on with the innermost loop."""


@distinct
class Return(Node):
    """Ends the function."""

    value: Expr | None


@distinct
class Parameter:
    """A parameter: a program's comes from its context, a subprogram's in a register."""

    name: str
    type: Type
    value: Expr | None = None


@dataclass(eq=False)
class Function:
    """A compiled function: parameters, variables (name to type), stack slots (name to type), body, and its result.

    ``tails``: it goes on in another program, so that its body stands where it is called. ``bounds``: of
    its indices and sizes (``bounds.Bound``). ``is_global``: the verifier checks it by itself; ``window`` is the struct
    (KernelStruct) as which it then knows the context, where the function is given that. ``tagged``: it is told which
    parameters are never None; else the function tests them.
    """

    name: str
    file: str
    line: int
    source: str
    parameters: tuple[Parameter, ...]
    result: Type
    body: tuple[Node, ...]
    variables: dict[str, Type] = field(default_factory=dict)
    slots: dict[str, Any] = field(default_factory=dict)
    inline: bool | None = None
    entry: bool = False
    context: bool = False
    default: int = 0
    calls: tuple["Function", ...] = ()
    tails: bool = False
    bounds: tuple[tuple[Expr, int, str, str, bool], ...] = ()
    is_global: bool = False
    window: Any = None
    tagged: bool = False

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """All that the body is made of, as ``walk`` gives it: many look there, and the body stays as it is."""
        return tuple(walk(*self.body))


@cache
def _made_of(kind: type[Node]) -> Callable[[Node], tuple[Any, ...]]:
    """What gives the fields of a node of that class that may hold nodes."""
    names = [f.name for f in fields(kind) if f.name not in ("span", "type") and f.type not in ATOMS]
    return attrgetter("span", *names) if names else lambda _: ()  # of one name it gives no tuple


ATOMS = (str, int, bool, bytes, Helper, Declaration, Ring, StructType, "Function")


def walk(*nodes: Node) -> Iterator[Node]:
    """Nodes and all that they are made of, but not the bodies of functions that they call."""
    queue: list[Any] = list(nodes)
    while queue:
        node = queue.pop()
        if type(node) is tuple:
            queue += node
        elif isinstance(node, Node):
            yield node
            kind: Any = type(node)
            queue += _made_of(kind)(node)


def statements(*nodes: Node) -> Iterator[Node]:
    """Statements and those within them, in the order of ``walk``, but not what they compute."""
    queue = list(nodes)
    while queue:
        node = queue.pop()
        yield node
        if isinstance(node, If):
            queue += node.then + node.other
        elif isinstance(node, For | While):
            queue += node.body
