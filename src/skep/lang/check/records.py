"""The bytes of records: which ones are set on every path, and which are read before.

What a program does not set is zero, so a byte that some submit leaves unset, or that some path reads before it is
set, is zeroed when the record is reserved; the others are not written twice. A function that gets a record, or a part
of one, is looked into: ``Touch`` tells of one parameter what it does there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from skep.lang.check import objects, sections
from skep.lang.check.loans import MOVES, RELEASES
from skep.lang.check.state import State
from skep.lang.check.uses import parts
from skep.lang.object_calls import ObjectCall
from skep.lang.reach import goes_on, reachable
from skep.lang.tree import (
    Address,
    Build,
    Const,
    Copy,
    Evaluate,
    Expr,
    Function,
    HelperCall,
    KernelCall,
    Load,
    Local,
    Logic,
    MapCall,
    Place,
    Reserve,
    Select,
    Spill,
    Store,
    SubCall,
    walk,
)

EVERYTHING = -1
"""All bytes, as bits: what is read where the place is not known."""


class Touch(NamedTuple):
    """Bytes behind a parameter, a bit each: set on every path; read on some path before they are set."""

    sets: int = 0
    reads: int = 0


Touches = Callable[[Function], tuple[Touch, ...]]
"""What a function does with each of its parameters."""


def anything(function: Function) -> tuple[Touch, ...]:
    """What a global function may do, for another one may stand in for it."""
    return (Touch(0, EVERYTHING),) * len(function.parameters)


def nothing(function: Function) -> tuple[Touch, ...]:
    """What is assumed of a function that is not looked into."""
    return (Touch(),) * len(function.parameters)


def mask(offset: int, size: int) -> int:
    """Bytes as bits."""
    return ((1 << size) - 1) << offset if offset >= 0 else 0


def fields(reserve: Reserve) -> int:
    """The bytes of a record's fields that reserving it does not stamp; padding is not among them."""
    stamps = getattr(reserve.record, "stamps", {})
    found = 0
    for member in reserve.record.fields:
        if member.name not in stamps:
            found |= mask(member.offset, member.type.size)
    return found


@dataclass(slots=True)
class Records:
    """Follows the bytes through one function.

    ``unset`` collects, by reservation, those to be zeroed; ``reads``, by parameter, those that are read before they are
    set.
    """

    unset: dict[int, int]
    touches: Touches
    reads: dict[str, int] = field(default_factory=dict)

    def expr(self, state: State, node: Expr) -> State:
        """The state after an expression: with what it sets however it goes."""
        return RULES.get(type(node), Records.operands)(self, state, node)

    def operands(self, state: State, node: Expr) -> State:
        """An expression of fixed evaluation."""
        for part in parts(node):
            state = self.part(state, part)
        return state

    def part(self, state: State, node: Expr | Place) -> State:
        """The state after an operand, or a place that is read."""
        if isinstance(node, Place):
            return self.read(state, node, node.type.size)
        return self.expr(state, node)

    def memory(self, state: State, node: Load | Spill) -> State:
        """What lies in memory is read."""
        return self.part(state, node.place if isinstance(node, Load) else node.value)

    def build(self, state: State, node: Build) -> State:
        """A struct is made of values."""
        for store in node.stores:
            if isinstance(store, Copy):
                state = self.read(state, store.source, store.size)
            elif isinstance(store, Store | Evaluate):
                state = self.expr(state, store.value)
        return state

    def select(self, state: State, node: Select) -> State:
        """One of the sides is evaluated: what it sets is not counted."""
        state = self.expr(state, node.test)
        return self._perhaps(state, (node.then, node.other))

    def logic(self, state: State, node: Logic) -> State:
        """The first operand is evaluated, others may be."""
        state = self.expr(state, node.operands[0])
        return self._perhaps(state, node.operands[1:])

    def _perhaps(self, state: State, nodes: tuple[Expr, ...]) -> State:
        """What may be evaluated: of it only what it does to loans and sections is counted."""
        known, within = state.loans, state.open
        for node in nodes:
            after = self.expr(state, node)
            known, within = known.perhaps(after.loans), sections.merged(within, after.open)
        return state.borrow(known).within(within)

    # --- calls ----------------------------------------------------------------------------------------------------

    def map_call(self, state: State, node: MapCall | KernelCall) -> State:
        """Keys and values are read, and what a kernel function is given."""
        via = node.via if isinstance(node, MapCall) else None
        for argument in node.args if via is None else (via, *node.args):
            state = self._argument(state, argument, ())
        if not isinstance(node, KernelCall):
            return state
        return _passed(state.within(sections.called(state.open, node)), node.name, node.args)

    def helper(self, state: State, node: HelperCall) -> State:
        """A helper sets the memory that it takes for that, if it fills it, as far as its size is known."""
        for argument in node.args:
            state = self._argument(state, argument, node.writes)
        if node.helper.sleeps:
            sections.refuse_waiting(state.open, node.helper.name, node.span)
        state = _passed(state, node.helper.name, node.args)
        if node.helper.partial:
            return state
        for argument, size in zip(node.args, node.args[1:], strict=False):
            if (
                isinstance(argument, Address)
                and isinstance(size, Const)
                and _is_one(argument.place, node.writes)
            ):
                known = min(size.value, argument.place.type.size)
                state = self.write(state, argument.place, known)
        return state

    def _argument(self, state: State, node: Expr, writes: Sequence[Place]) -> State:
        """An argument of a helper: what it points at is read, unless the helper only writes there."""
        if not isinstance(node, Address):
            return self.expr(state, node)
        if _is_one(node.place, writes):
            return self.reach(state, node.place)
        return self.part(state, node.place)

    def call(self, state: State, node: SubCall) -> State:
        """A function of the program does what its ``Touch`` says."""
        if node.function.is_global:
            state = _moved(state, node.function)
        else:
            state = state.within(sections.behind(state.open, node.function))
        for argument, touch in zip(node.args, self.touches(node.function), strict=True):
            match argument:
                case Local(name=name):
                    self._note(state, name, touch.reads)
                    state = state.write(name, touch.sets)
                case Address(place=Place(base=Local(name=name), index=None, offset=offset)):
                    self._note(state, name, touch.reads << offset)
                    state = state.write(name, touch.sets << offset)
                case Address(place=place):
                    state = self.part(state, place)
                case _:
                    state = self.expr(state, argument)
        return _handed_on(state, node.args)

    def object_call(self, state: State, node: ObjectCall) -> State:
        """Objects are given back, linked or taken out."""
        for argument in node.args:
            state = self.expr(state, argument)
        objects.refuse_asleep(node, state.open)
        return state.borrow(objects.called(state.loans, node))

    # --- bytes ----------------------------------------------------------------------------------------------------

    def reach(self, state: State, place: Place) -> State:
        """The state after a place was worked out."""
        if not isinstance(place.base, Local):
            state = self.expr(state, place.base)
        return self.expr(state, place.index) if place.index is not None else state

    def read(self, state: State, place: Place, size: int) -> State:
        """The state after bytes were read."""
        state = self.reach(state, place)
        if isinstance(place.base, Local):
            wanted = mask(place.offset, size) if place.index is None else EVERYTHING
            self._note(state, place.base.name, wanted)
        return state

    def write(self, state: State, place: Place, size: int) -> State:
        """The state after bytes were set; which element is set of an array may not be known."""
        if place.index is None and isinstance(place.base, Local):
            return state.write(place.base.name, mask(place.offset, size))
        return state

    def _note(self, state: State, name: str, wanted: int) -> None:
        """Bytes behind a variable are read: those that were not set before are to be zero."""
        written = state.written(name)
        if written is None:
            return
        missing = wanted & ~written
        if name in state.held:
            self.require(state.held[name].reserve, missing)
        else:
            self.reads[name] = self.reads.get(name, 0) | missing

    def require(self, reserve: Reserve, missing: int) -> None:
        """Bytes of a record are to be zeroed where it is reserved, as far as they are of fields."""
        key = id(reserve)
        self.unset[key] = self.unset.get(key, 0) | missing & fields(reserve)


def _passed(state: State, function: str, args: tuple[Expr, ...]) -> State:
    """After a call: packets are moved, objects given back, or what becomes of them is not known."""
    if function == objects.UNLOCK:
        return state.borrow(objects.unlocked(state.loans))
    if function in MOVES:
        return state.borrow(state.loans.move(function))
    if function in RELEASES and isinstance(args[0], Local):
        return state.borrow(state.loans.give_back(args[0].name, function))
    return _handed_on(state, args)


def _moved(state: State, function: Function) -> State:
    """After a call of a global function, which may move the packet if anything in it does, or where it goes on."""
    moves = any(
        (isinstance(part, HelperCall) and part.helper.name in MOVES)
        or (not isinstance(part, SubCall) and goes_on(part))
        for one in reachable(function)
        for part in one.nodes
    )
    return state.borrow(state.loans.move(function.name)) if moves else state


def _handed_on(state: State, args: tuple[Expr, ...]) -> State:
    if not state.loans.owned:
        return state
    names = [part.name for part in walk(*args) if isinstance(part, Local)]
    return state.borrow(state.loans.hand_on(*names))


def _is_one(place: Place, writes: Sequence[Place]) -> bool:
    return any(place is other for other in writes)


RULES: dict[type[Expr], Callable[[Records, State, Any], State]] = {
    Load: Records.memory,
    Spill: Records.memory,
    Build: Records.build,
    Select: Records.select,
    Logic: Records.logic,
    MapCall: Records.map_call,
    KernelCall: Records.map_call,
    HelperCall: Records.helper,
    SubCall: Records.call,
    ObjectCall: Records.object_call,
}
