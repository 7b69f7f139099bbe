"""Parameters of probes: arguments and results from registers, and those of static probes from where their notes say.

``ctx`` is all registers, wherever it stands among the parameters.
"""

from skep.base.errors import BadInput
from skep.lang.front.context_struct import context
from skep.lang.front.head import CONTEXT, RESULT, Head, absent, address, argument, slot
from skep.lang.front.network_order import turned
from skep.lang.kernel_types import Signature
from skep.lang.static_arguments import Reader, Unreadable, split
from skep.lang.tree import Argument, Convert, Expr, Load, Parameter, Place
from skep.lang.types import IntType, s64, u64
from skep.lang.values import Memory, Pointer, Type, register

RETURNS = frozenset({"kretprobe", "kretsyscall", "uretprobe", "kretprobe_multi", "uretprobe_multi"})


def registers(head: Head) -> tuple[Parameter, ...]:
    """Arguments from the registers that the machine passes them in; ``ctx`` is all registers, ``result`` the result."""
    if head.kind.name in RETURNS and not set(head.names) <= {RESULT, CONTEXT}:
        problem = f"{head.kind.name} programs see the result, not the arguments"
        raise head.error(problem, f"name the parameter {RESULT!r}; an entry probe sees the rest")
    signature = _probed(head)
    plain = [name for name in head.names if name not in (RESULT, CONTEXT)]
    return tuple(
        _register(head, signature, index, plain.index(name) if name in plain else -1)
        for index, name in enumerate(head.names)
    )


def _probed(head: Head) -> Signature | None:
    """The signature of the kernel function, where one is named and known; of several, what they share."""
    if not head.kind.name.startswith(("kprobe", "kretprobe")) or "+" in head.hook:
        return None
    names = head.hook.split(",")
    found = [head.target.types.signature(name) for name in names]
    known = [one for one in found if one is not None]
    if len(names) == 1 or len(known) < len(names):
        return known[0] if len(names) == 1 and known else None
    return known[0].shared(known[1:])


def _register(head: Head, signature: Signature | None, index: int, number: int) -> Parameter:
    name = head.names[index]
    if name == CONTEXT:
        return context(head, name)
    declared = head.annotation(index)
    if name == RESULT:
        stored = signature.result if signature else None
        at = head.target.types.registers().result
    elif signature and number >= len(signature.arguments) and name in head.optional:
        return absent(name)
    else:
        stored, at = _passed(head, signature, number)
    known = argument(stored, trusted=False)
    users = head.kind.name.startswith("u") or getattr(known, "memory", None) is Memory.USER
    if isinstance(declared, IntType):
        return slot(head, name, declared, at)
    told = head.pointed(index, Memory.USER if users else Memory.PROBE)
    return slot(head, name, told or known, at)


def _passed(head: Head, signature: Signature | None, number: int) -> tuple[Type, int]:
    """The type of an argument and the register that it begins in: a struct by value takes one for each word."""
    places = head.target.types.registers().arguments
    known = signature.arguments if signature else ()
    if signature and number >= len(known):
        raise head.error(f"{head.hook} gives {len(known)} arguments, not {number + 1}")
    word = signature.slots[number] if signature else number
    if word >= len(places):
        raise head.error(f"registers hold the first {len(places)} words of arguments only")
    return known[number] if signature else None, places[word]


def syscall(head: Head) -> tuple[Parameter, ...]:
    """The arguments of a system call: the function of the kernel is given the registers of the process."""
    if head.kind.name in RETURNS:
        return registers(head)
    places = head.target.types.registers()
    struct = head.target.types.struct("pt_regs")
    base = Argument(head.span, Pointer(struct, Memory.PROBE), places.arguments[0])
    plain = [name for name in head.names if name != CONTEXT]
    if len(plain) > len(places.syscall):
        raise head.error(f"a system call has up to {len(places.syscall)} arguments")
    words = dict(zip(plain, places.syscall, strict=False))
    return tuple(
        _within(head, index, base, words[name]) if name in words else context(head, name)
        for index, name in enumerate(head.names)
    )


def _within(head: Head, index: int, base: Expr, word: int) -> Parameter:
    """A word of registers that lie elsewhere in the kernel, as it is annotated."""
    value: Expr = Load(head.span, u64, Place(head.span, u64, base, 8 * word))
    if pointer := head.pointed(index, Memory.USER):
        return Parameter(head.names[index], pointer, address(pointer, value))
    declared = head.annotation(index)
    kind = declared if isinstance(declared, IntType) else u64
    value = value if kind is u64 else turned(kind, Convert(head.span, register(kind), value))
    return Parameter(head.names[index], register(kind), value)


def static(head: Head) -> tuple[Parameter, ...]:
    """The arguments of a static probe, from where its notes say that they lie; ``ctx`` is all registers."""
    try:
        ways = head.target.usdt(head.hook)
    except BadInput as error:
        raise head.error(str(error)) from error
    if not ways:
        raise head.error(f"there is no static probe {head.hook!r}")
    plain = [name for name in head.names if name != CONTEXT]
    if plain and "ax" not in head.target.types.registers().names:
        problem = "the arguments of static probes are read on x86-64 only"
        raise head.error(problem, "take no parameters, or ctx, which is all registers")
    listed = [split(way) for way in ways]
    fewest = min(len(words) for words in listed)
    if len(plain) > fewest:
        raise head.error(f"{head.hook} gives {fewest} arguments, not {len(plain)}")
    return tuple(
        context(head, name)
        if name == CONTEXT
        else _static_argument(head, index, [words[plain.index(name)] for words in listed])
        for index, name in enumerate(head.names)
    )


def _static_argument(head: Head, index: int, words: list[str]) -> Parameter:
    reader = Reader(head.span, head.target.types.registers().names)
    try:
        values = [reader.argument(word) for word in words]
    except Unreadable as error:
        problem = f"{head.names[index]!r} lies where a program cannot read it: {words[0]}"
        raise head.error(problem, "leave the parameter out, with those behind it") from error
    declared, pointer = head.annotation(index), head.pointed(index, Memory.USER)
    if pointer:
        return Parameter(head.names[index], pointer, address(pointer, reader.chosen(values, u64)))
    kind = declared if isinstance(declared, IntType) else _widest(values)
    value = turned(kind, reader.chosen(values, register(kind)))
    return Parameter(head.names[index], register(kind), value)


def _widest(values: list[Expr]) -> IntType:
    """The type of an argument that lies in several ways: 64 bits where these differ."""
    first: IntType = values[0].type
    if all(value.type is first for value in values):
        return first
    return s64 if any(value.type.signed for value in values) else u64
