"""``print(f"...")``: a line for the kernel's trace buffer, the file of an iterator, or a stream of the program.

By bpf_trace_printk, and bpf_trace_vprintk (5.16) where it has more than three values; by bpf_seq_printf (5.7); into the
streams of the program by bpf_stream_vprintk (6.17).

The format is made while compiling, and stands on the stack. Numbers are shown as numbers, ``char[N]`` as text.
"""

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Sequence

from skep.base.frozen import frozen
from skep.lang.capture import resolve
from skep.lang.constant_text import ConstantText
from skep.lang.front.integers import converted, dereferenced
from skep.lang.front.scope import Scope
from skep.lang.helpers import Arg, Helper
from skep.lang.tree import (
    Build,
    Const,
    Expr,
    Function,
    HelperCall,
    KernelCall,
    NoneValue,
    Place,
    Slot,
    Store,
    Write,
)
from skep.lang.types import ArrayType, IntType, char, s32, s64, u8, u32, u64
from skep.lang.values import (
    BOOL,
    UNKNOWN,
    VOID,
    KernelStruct,
    Literal,
    Memory,
    Pointer,
    describe,
)

NAME = "trace_printk"
PRINT, PRINT_MANY = 6, 177
IN_REGISTERS, MOST = 3, 12
LONGEST = 128
LINE = (Arg.IN, Arg.SIZE)
INTO_FILE = Helper(
    *("seq_printf", 126, (Arg.KERNEL, *LINE, Arg.ADDRESS, Arg.SIZE), s64, "5.7"),
    "Print a line into the file of an iterator.",
)
STREAMS = {"stdout": 1, "stderr": 2}
"""The streams of a program, by the files of Python's that name them."""
INTO_STREAM = ("bpf_stream_vprintk", "bpf_stream_vprintk_impl")
"""The function that prints into them, by its names; one argument may be hidden."""
SPEC = re.compile(r"([<>]?)(#?)(0?)([1-9]\d?)?([dx]?)")
TEXT_SPEC = re.compile(r"([<>]?)([1-9]\d?)?s?")


@frozen
class Shown:
    """A piece of a line: what stands in the format, and the value that goes with it."""

    text: str
    value: Expr | None = None


def printed(scope: Scope, node: ast.Call) -> Expr:
    """A call of ``print``."""
    line, values = formatted(scope, node, node.args)
    stream = _stream(scope, node)
    if stream:
        return _into_stream(scope, node, stream, f"{line}\n", values)
    if node.keywords:
        return _into_file(scope, node, line, values)
    many = len(values) > IN_REGISTERS
    given = packed(scope, node, values) if many else values
    kinds = (Arg.IN, Arg.SIZE) if many else (Arg.INT,) * len(values)
    number, since = (PRINT_MANY, "5.16") if many else (PRINT, "4.1")
    row = Helper(NAME, number, (*LINE, *kinds), s64, since, "Print a line for debugging.")
    return HelperCall(scope.span(node), VOID, row, (*_line(scope, node, line), *given))


def formatted(
    scope: Scope, node: ast.Call, arguments: Sequence[ast.expr]
) -> tuple[str, list[Expr]]:
    """The kernel's format for arguments in a row, and the values that go with it. Raises CompileError."""
    shown: list[Shown] = []
    for index, argument in enumerate(arguments):
        _refuse_formatted(scope, argument)
        if index:
            shown.append(Shown(" "))
        shown += _shown(scope, argument)
    values = [piece.value for piece in shown if piece.value is not None]
    line = "".join(piece.text for piece in shown)
    if not line.isascii() or not (line.isprintable() or "\t" in line):
        raise scope.error(node, "the kernel prints ASCII only, in one line")
    if len(line) >= LONGEST:
        raise scope.error(node, f"a line that is printed has at most {LONGEST - 1} characters")
    if len(values) > MOST:
        raise scope.error(node, f"a line that is printed has at most {MOST} values")
    return line, values


def _into_file(scope: Scope, node: ast.Call, line: str, values: list[Expr]) -> Expr:
    """``print(..., file=ctx.meta.seq)``: a line of what an iterator writes."""
    file = _file(scope, node)
    span = scope.span(node)
    nothing = [NoneValue(span, Pointer(None, Memory.KERNEL)), Const(span, u64, 0)]
    given = packed(scope, node, values) if values else nothing
    args = (file, *_line(scope, node, f"{line}\n"), *given)
    return HelperCall(span, VOID, INTO_FILE, args)


def _stream(scope: Scope, node: ast.Call) -> int:
    """The number of the program's stream that is named, as sys.stdout or sys.stderr; 0 where none is."""
    match node.keywords:
        case [ast.keyword("file", ast.Attribute(value=ast.Name(id=name), attr=attr))]:
            return STREAMS.get(attr, 0) if resolve(scope.function, name) is sys else 0
    return 0


def _into_stream(
    scope: Scope, node: ast.Call, stream: int, line: str, values: list[Expr]
) -> KernelCall:
    """``print(..., file=sys.stderr)``: a line for whoever reads the streams of the program."""
    types, span = scope.target.types, scope.span(node)
    found = next((name for name in INTO_STREAM if types.function(name)), "")
    signature = types.prototype(found) if found else None
    if signature is None:
        hint = "print(...) without file= writes to the trace, for skep run --trace"
        raise scope.error(node, "this kernel has no streams of programs: Linux 6.17 has them", hint)
    where = packed(scope, node, values or [Const(span, u64, 0)])[0]
    text = ConstantText(span, Pointer(char, Memory.CONSTANT), line.encode() + b"\0")
    length = Const(span, u32, 8 * len(values))
    given = [Const(span, s32, stream), text, where, length]
    given += [NoneValue(span, Pointer(None, Memory.KERNEL)) for _ in signature.params[len(given) :]]
    kinds = tuple(kind for _, kind in signature.params)
    return KernelCall(span, s32, found, found, kinds, tuple(given))


def _file(scope: Scope, node: ast.Call) -> Expr:
    """The file of an iterator, as an argument by name. Raises CompileError at any other."""
    for keyword in node.keywords:
        if keyword.arg != "file":
            hint = "write what is between and behind the values into the text"
            hint = "leave it out: lines are there at once" if keyword.arg == "flush" else hint
            raise scope.error(keyword, "print() takes values, and file= by name", hint)
    value = scope.expr(node.keywords[-1].value)
    kind = value.type.target if isinstance(value.type, Pointer) else None
    seq = isinstance(kind, KernelStruct) and kind.name == "seq_file"
    if value.type is not UNKNOWN and not seq:
        problem = f"a program prints into the file of an iterator, not into {describe(value.type)}"
        hint = (
            "print(..., file=ctx.meta.seq); any program, file=sys.stdout or sys.stderr (Linux 6.17)"
        )
        raise scope.error(node.keywords[-1], problem, hint)
    return value


def _refuse_formatted(scope: Scope, node: ast.expr) -> None:
    """Refuse text that is put together in Python's other ways."""
    match node:
        case ast.BinOp(left=ast.Constant(value=str()) | ast.JoinedStr()):
            pass
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str()))):
            pass
        case _:
            return
    hint = 'write the values into the text, as in print(f"pid {n}"), or give them in order'
    raise scope.error(node, "a line is written out, or an f-string", hint)


def _line(scope: Scope, node: ast.Call, line: str) -> tuple[Expr, Expr]:
    """The format on the stack, and its size."""
    data = line.encode() + b"\0"
    where = _slot(scope, node, ArrayType(u8, len(data)), "line")
    written = Write(where.span, Place(where.span, where.type.target, where), data)
    made = Build(where.span, where.type, where.slot, (written,))
    return made, Const(where.span, u64, len(data))


def formats(functions: Iterable[Function]) -> tuple[str, ...]:
    """The formats of the lines that functions print, as the kernel takes them. Few print: others are passed by."""
    printing = (one for one in functions if any(name.startswith("line.") for name in one.slots))
    calls = (node for one in printing for node in one.nodes if isinstance(node, HelperCall))
    return tuple(dict.fromkeys(_format(one) for one in calls if one.helper.name == NAME))


def _format(call: HelperCall) -> str:
    (written,) = call.args[0].stores  # type: ignore[attr-defined]  # _line made it
    return str(written.data[:-1], "ascii")


def _slot(scope: Scope, node: ast.Call, kind: ArrayType, role: str) -> Slot:
    name = f"{role}.{node.lineno}.{node.col_offset}"
    scope.slots[name] = kind
    return Slot(scope.span(node), Pointer(kind, Memory.STACK), name)


def packed(scope: Scope, node: ast.Call, values: list[Expr]) -> list[Expr]:
    """Values as the array that a helper takes beside a format, and its size."""
    kind = ArrayType(u64, len(values))
    where = _slot(scope, node, kind, "values")
    stores = tuple(
        Store(where.span, Place(where.span, u64, where, 8 * index), value)
        for index, value in enumerate(values)
    )
    made = Build(where.span, where.type, where.slot, stores)
    return [made, Const(where.span, u64, kind.size)]


# --- pieces -----------------------------------------------------------------------------------------------------------


def _shown(scope: Scope, node: ast.expr) -> Iterator[Shown]:
    """The pieces of an argument."""
    match node:
        case ast.Constant(value=str() as text):
            yield Shown(text.replace("%", "%%"))
        case ast.JoinedStr(values=values):
            for value in values:
                yield from _shown(scope, value)
        case ast.FormattedValue(value=value, conversion=conversion, format_spec=spec):
            if conversion != -1:
                sign = f"!{chr(conversion)}"
                raise scope.error(
                    node, f"{sign} is not part of the language", "leave it out: {value}"
                )
            yield _value(scope, value, _spec(scope, spec))
        case _:
            yield _value(scope, node, "")


def _spec(scope: Scope, node: ast.expr | None) -> str:
    """A format after the colon."""
    if node is None:
        return ""
    text = node.values[0] if isinstance(node, ast.JoinedStr) and len(node.values) == 1 else None
    if isinstance(text, ast.Constant):
        found = str(text.value)
        number = SPEC.fullmatch(found)
        if TEXT_SPEC.fullmatch(found) or (number and not (number[1] and number[3])):
            return found
    hint = "a number is shown as d or x, with a width: {n:x} {n:#x} {n:5} {n:<5} {n:08x}; text as {comm:16}"
    raise scope.error(node, "the kernel has no such format", hint)


def _value(scope: Scope, node: ast.expr, spec: str) -> Shown:
    value = scope.expr(node)
    kind = value.type.target if isinstance(value.type, Pointer) else None
    if kind is char or (isinstance(kind, ArrayType) and kind.element is char):
        return _text(scope, node, value, spec)
    value = dereferenced(scope, value, node)
    if not isinstance(value.type, IntType | Literal) and value.type not in (BOOL, UNKNOWN):
        hint = "show a field of it, or u64(...) of a pointer"
        raise scope.error(node, f"{describe(value.type)} cannot be printed", hint)
    signed = isinstance(value.type, Literal) or (
        isinstance(value.type, IntType) and value.type.signed
    )
    found = SPEC.fullmatch(spec)
    if found is None:
        raise scope.error(node, "s shows text, and this is a number", "{n} or {n:8}")
    side, base, zero, width, letter = found.groups()
    hexadecimal = letter == "x"
    if hexadecimal and signed:
        raise scope.error(node, "x shows numbers without a sign", "write u64(...) or u32(...)")
    wide = converted(scope, value, s64 if signed else u64, node)
    shown = "x" if hexadecimal else "d" if signed else "u"
    left = "-" if side == "<" and width else ""
    before = "0x" if base else ""
    return Shown(f"{before}%{left}{zero}{width or ''}ll{shown}", wide)


def _text(scope: Scope, node: ast.expr, value: Expr, spec: str) -> Shown:
    found = TEXT_SPEC.fullmatch(spec)
    if found is None:
        raise scope.error(
            node, "text is shown as it is, with a width at most", "{comm} or {comm:16}"
        )
    if value.type.memory is Memory.USER:
        hint = "copy it first: skep.probe_read_user_str(buffer, address)"
        raise scope.error(node, "text of a process cannot be printed where it is", hint)
    left = "" if found[1] == ">" or not found[2] else "-"
    return Shown(f"%{left}{found[2] or ''}s", value)
