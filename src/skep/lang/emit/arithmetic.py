"""Arithmetic: written semantics where the kernel's, LLVM's and Python's differ (division, shifts, signs)."""

from collections.abc import Callable

from skep.lang.emit.function import Value, Writer
from skep.lang.emit.rounds import counts
from skep.lang.emit.sizes import names_one
from skep.lang.emit.text import llvm_type
from skep.lang.tree import Binary, Compare, Const, Convert, Expr, Node, Swap, walk
from skep.lang.types import IntType
from skep.lang.values import BOOL

PLAIN = {"+": "add", "-": "sub", "*": "mul", "&": "and", "|": "or", "^": "xor"}
PREDICATES = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
MIRRORED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
ZERO = {"==": 0, "!=": 0, "<": 1, ">": 0, ">=": 1, "<=": 0}
"""What a number without a sign is compared with where that asks whether it is 0."""


def _signed(node: Expr) -> bool:
    return bool(node.type.signed) if isinstance(node.type, IntType) else node.type is not BOOL


def binary(w: Writer, node: Binary) -> Value:
    """Arithmetic on two operands."""
    left, right = w.expr(node.left).text, w.expr(node.right).text
    kind = llvm_type(node.type)
    if node.op == "&" and isinstance(node.right, Const) and any(map(_is_vague, walk(node.left))):
        left = w.concealed(kind, left)
    if node.op in PLAIN:
        return Value(w.get(f"{PLAIN[node.op]} {kind} {left}, {right}"))
    return Value(OPERATIONS[node.op](w, node, left, right))


def _is_vague(node: Node) -> bool:
    """Whether LLVM knows more of an operation than the verifier, and would leave a mask of its result out.

    A division, and a shift by a number that is not constant.
    """
    if not isinstance(node, Binary):
        return False
    shifts = node.op in ("<<", ">>") and not isinstance(node.right, Const)
    return shifts or node.op in ("//", "%")


def _address(w: Writer, _node: Binary, left: str, _right: str) -> str:
    return w.get(f"ptrtoint ptr {left} to i64")


def _pointer(w: Writer, _node: Binary, left: str, _right: str) -> str:
    return w.get(f"inttoptr i64 {left} to ptr")


def _shift(w: Writer, node: Binary, left: str, right: str) -> str:
    kind = llvm_type(node.type)
    if not isinstance(node.right, Const):
        right = w.get(f"and {kind} {right}, {int(kind[1:]) - 1}")
    op = "shl" if node.op == "<<" else "ashr" if _signed(node) else "lshr"
    return w.get(f"{op} {kind} {left}, {right}")


def _choose(w: Writer, node: Binary, left: str, right: str) -> str:
    kind = llvm_type(node.type)
    sign = "s" if _signed(node) else "u"
    test = w.get(f"icmp {sign}{'lt' if node.op == 'min' else 'gt'} {kind} {left}, {right}")
    return w.get(f"select i1 {test}, {kind} {left}, {kind} {right}")


def _divide(w: Writer, node: Binary, left: str, right: str) -> str:
    kind = llvm_type(node.type)
    if isinstance(node.right, Const):
        if node.right.value == 0:
            return "0" if node.op == "//" else left
        return _quotient(w, node, left, right)
    zero = w.get(f"icmp eq {kind} {right}, 0")
    safe = w.get(f"select i1 {zero}, {kind} 1, {kind} {right}")
    if not _power(node.right):  # LLVM divides by a hidden power of two with a table of constants
        safe = w.opaque(kind, safe)
    result = _quotient(w, node, left, safe)
    return w.get(f"select i1 {zero}, {kind} {'0' if node.op == '//' else left}, {kind} {result}")


def _power(node: Expr) -> bool:
    """Whether a divisor is plainly a power of two, as in ``x // (1 << n)``: LLVM makes a shift of it."""
    match node:
        case Convert(operand=operand):
            return _power(operand)
        case Binary(op="<<", left=Const()):
            return True
    return False


def _quotient(w: Writer, node: Binary, left: str, right: str) -> str:
    """A division by what is not 0. Of its result the verifier knows nothing, so that LLVM is to know no more.

    By a power of two it is a shift or a mask, of which both know the same. Where numbers of loops are divided, LLVM
    makes steps of it that the verifier can follow.
    """
    kind = llvm_type(node.type)
    constant = node.right.value if isinstance(node.right, Const) else 0
    power = constant > 0 and constant & (constant - 1) == 0
    if not _signed(node):
        result = w.get(f"{'udiv' if node.op == '//' else 'urem'} {kind} {left}, {right}")
        followed = power or (constant and counts(w, node.left))
        return result if followed else w.concealed(kind, result)
    if power:
        if node.op == "%":
            return w.get(f"and {kind} {left}, {constant - 1}")
        return w.get(f"ashr {kind} {left}, {constant.bit_length() - 1}")
    quotient = _floor(w, kind, left, right, seen=bool(constant) and counts(w, node.left))
    if node.op == "//":
        return quotient
    product = w.get(f"mul {kind} {quotient}, {right}")
    return w.get(f"sub {kind} {left}, {product}")


def _floor(w: Writer, kind: str, left: str, right: str, *, seen: bool) -> str:
    """Floor division of signed numbers by unsigned division: the instruction set v3 has no signed one.

    ``seen``: the verifier may know what comes out.
    """
    above, below = _absolute(w, kind, left), _absolute(w, kind, right)
    whole = w.get(f"udiv {kind} {above}, {below}")
    whole = whole if seen else w.concealed(kind, whole)
    product = w.get(f"mul {kind} {whole}, {below}")
    exact = w.get(f"icmp eq {kind} {product}, {above}")
    up = w.get(f"add {kind} {whole}, 1")
    away = w.get(f"select i1 {exact}, {kind} {whole}, {kind} {up}")
    negative = w.get(f"sub {kind} 0, {away}")
    signs = w.get(f"xor {kind} {left}, {right}")
    differ = w.get(f"icmp slt {kind} {signs}, 0")
    return w.get(f"select i1 {differ}, {kind} {negative}, {kind} {whole}")


def _absolute(w: Writer, kind: str, value: str) -> str:
    negative = w.get(f"icmp slt {kind} {value}, 0")
    opposite = w.get(f"sub {kind} 0, {value}")
    return w.get(f"select i1 {negative}, {kind} {opposite}, {kind} {value}")


OPERATIONS: dict[str, Callable[[Writer, Binary, str, str], str]] = {
    "//": _divide,
    "%": _divide,
    "<<": _shift,
    ">>": _shift,
    "min": _choose,
    "max": _choose,
    "address": _address,
    "pointer": _pointer,
}


def compare(w: Writer, node: Compare) -> Value:
    """Two numbers of one type compared."""
    left, right = w.expr(node.left).text, w.expr(node.right).text
    predicate = PREDICATES[node.op]
    if names_one(node, w.plan.sizes(w.function)):
        w.keep_apart()
        if asked := _zero_test(node):
            kind, size = llvm_type(node.left.type), right if isinstance(node.left, Const) else left
            return Value(w.get(f"icmp {asked} {kind} {size}, {w.nothing(kind)}"))
    if predicate not in ("eq", "ne"):
        predicate = f"{'s' if _signed(node.left) else 'u'}{predicate}"
    return Value(w.get(f"icmp {predicate} {llvm_type(node.left.type)} {left}, {right}"))


def _zero_test(node: Compare) -> str:
    """How a size is tested for 0, in whatever words: "ule" where it is 0, "ugt" where it is not, "" for other tests.

    LLVM would make ``!= 0`` of them, of which verifiers learn nothing before Linux 6.8.
    """
    mirrored = isinstance(node.left, Const)
    limit, op = (node.left, MIRRORED[node.op]) if mirrored else (node.right, node.op)
    if _signed(node.left) or not isinstance(limit, Const) or limit.value != ZERO[op]:
        return ""
    return "ule" if op in ("==", "<", "<=") else "ugt"


def convert(w: Writer, node: Convert) -> Value:
    """A number as another type: cut, or extended by its own sign."""
    value = w.expr(node.operand).text
    have, want = llvm_type(node.operand.type), llvm_type(node.type)
    if have == want:
        return Value(value)
    if int(have[1:]) > int(want[1:]):
        return Value(w.get(f"trunc {have} {value} to {want}"))
    return Value(w.get(f"{'sext' if _signed(node.operand) else 'zext'} {have} {value} to {want}"))


def swap(w: Writer, node: Swap) -> Value:
    """Bytes reversed."""
    value = w.expr(node.operand).text
    kind = llvm_type(node.type)
    w.use(f"llvm.bswap.{kind}")
    return Value(w.get(f"call {kind} @llvm.bswap.{kind}({kind} {value})"))
