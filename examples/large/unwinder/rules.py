"""Rules of the kernel half, made of what the call frame instructions say. Plain values.

What a rule cannot say is ``Kind.UNKNOWN``: the walk ends there, and says so.
"""

from examples.large.unwinder.call_frames import RBP, RSP, Frame, How, Where
from examples.large.unwinder.expressions import operations
from examples.large.unwinder.state import Base, Interrupted, Kind, Rule, Saved

UNKNOWN, OUTERMOST = Rule(Kind.UNKNOWN), Rule(Kind.OUTERMOST)
BASES = {RSP: Base.RSP, RBP: Base.RBP}
SAVED = {RSP: Saved.BY_RSP, RBP: Saved.BY_RBP}
RETURN_ADDRESS = Where(How.CFA, -8)
LARGEST = 1 << 31


def rule(frame: Frame, *, signal: bool = False) -> Rule:
    """The rule for a frame; ``signal``: it is one that the kernel made for a handler."""
    if frame.rip.how == How.UNDEFINED:
        return OUTERMOST
    if signal:
        return _interrupted(frame)
    saved = _saved(frame.rbp)
    found = _cfa(frame)
    if found is None or saved is None or frame.rip != RETURN_ADDRESS:
        return UNKNOWN
    kind, base, offset, more = found
    if base not in BASES or not all(-LARGEST <= n < LARGEST for n in (offset, more, saved[1])):
        return UNKNOWN
    return Rule(kind, BASES[base], saved[0], offset=offset, more=more, rbp=saved[1])


def _cfa(frame: Frame) -> tuple[Kind, int, int, int] | None:
    """Kind, register, offset and what else there is, of a CFA; None where it is of no kind."""
    if frame.register >= 0:
        return Kind.OFFSET, frame.register, frame.offset, 0
    match operations(frame.expression):
        case (("base", base, offset),):
            return Kind.OFFSET, base, offset, 0
        case (("base", base, offset), ("deref", *_)):
            return Kind.DEREFERENCED, base, offset, 0
        case (("base", base, offset), ("deref", *_), ("add", more, _)):
            return Kind.DEREFERENCED, base, offset, more
        case (
            ("base", base, offset),
            ("base", 16, 0),
            ("literal", 15, _),
            ("and", *_),
            ("literal", more, _),
            ("ge", *_),
            ("literal", 3, _),
            ("shl", *_),
            ("plus", *_),
        ):
            return Kind.PLT, base, offset, more
    return None


def _saved(where: Where) -> tuple[Saved, int] | None:
    """Where the caller's rbp lies: by what, and the offset from there; None where no rule can say it."""
    match where.how, operations(where.expression):
        case How.SAME, _:
            return Saved.NOT, 0
        case How.CFA, _:
            return Saved.BY_CFA, where.offset
        case How.EXPRESSION, (("base", base, offset),) if base in SAVED:
            return SAVED[base], offset
    return None


def _interrupted(frame: Frame) -> Rule:
    """The rule of a frame of a signal, where the registers lie as the kernel puts them."""
    first = {name: operations(getattr(frame, name).expression) for name in ("rbp", "rsp", "rip")}
    found = {
        name: ops[0][2] for name, ops in first.items() if [o[:2] for o in ops] == [("base", RSP)]
    }
    if len(found) < len(first):
        return UNKNOWN
    start = found["rbp"]
    places = {name: at - start for name, at in found.items()}
    if places != {one.name: one.offset for one in Interrupted.fields if one.name in first}:
        return UNKNOWN
    return Rule(Kind.SIGNAL, Base.RSP, offset=start)
