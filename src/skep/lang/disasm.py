"""BPF instructions as text: the kernel's own notation, with the Python lines above them.

A pure function of a program's bytes. The tables follow kernel/bpf/disasm.c and the instruction set
of RFC 9669 (cpu v4, atomics included). A word that is no instruction is shown as such; nothing is
raised for it. It knows nothing of a running kernel.
"""

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from skep.base.errors import Span
from skep.base.frozen import frozen
from skep.btf.reader import Btf
from skep.lang.lines import Lines

_INSN = struct.Struct("<BBhi")
_FUNC_INFO = struct.Struct("<II")
_WIDE_LOAD = 0x18
_MAP, _MAP_VALUE, _LOCAL_CALL, _KERNEL_CALL, _FUNCTION = 1, 2, 1, 2, 4

_SIZE = {0x00: "u32", 0x08: "u16", 0x10: "u8", 0x18: "u64"}
_SIGNED_SIZE = {0x00: "s32", 0x08: "s16", 0x10: "s8"}
_ALU = {
    0x00: "+=",
    0x10: "-=",
    0x20: "*=",
    0x30: "/=",
    0x40: "|=",
    0x50: "&=",
    0x60: "<<=",
    0x70: ">>=",
    0x90: "%=",
    0xA0: "^=",
    0xB0: "=",
    0xC0: "s>>=",
}
_SIGNED_ALU = {0x30: "s/=", 0x90: "s%="}
_SIGN_EXTENDED = {8: "(s8)", 16: "(s16)", 32: "(s32)"}
_JUMP = {
    0x10: "==",
    0x20: ">",
    0x30: ">=",
    0x40: "&",
    0x50: "!=",
    0x60: "s>",
    0x70: "s>=",
    0xA0: "<",
    0xB0: "<=",
    0xC0: "s<",
    0xD0: "s<=",
}
_NEG, _MOV, _END = 0x80, 0xB0, 0xD0
_JA, _CALL, _EXIT, _COND = 0x00, 0x80, 0x90, 0xE0
_IMM, _ABS, _IND, _MEM, _MEMSX, _NOSPEC, _ATOMIC = 0x00, 0x20, 0x40, 0x60, 0x80, 0xC0, 0xC0
_FETCH = 1
_ATOMIC_LOCK = {0x00: "+=", 0x40: "|=", 0x50: "&=", 0xA0: "^="}
_ATOMIC_FETCH = {0x01: "fetch_add", 0x41: "fetch_or", 0x51: "fetch_and", 0xA1: "fetch_xor"}
_ATOMIC_OTHER = {
    0xE1: "r{src} = atomic{wide}_xchg({where}, r{src})",
    0xF1: "r0 = atomic{wide}_cmpxchg({where}, r0, r{src})",
    0x100: "r{dst} = load_acquire({source})",
    0x110: "store_release({where}, r{src})",
}


@frozen
class Insn:
    """A decoded instruction; ``value`` is the immediate, of 64 bits for a two-slot load."""

    code: int
    dst: int
    src: int
    off: int
    imm: int
    value: int


@frozen
class Names:
    """What instructions refer to.

    ``helpers`` by number; ``symbols`` (maps, kernel functions) by the instruction that refers to
    them; ``functions`` by the instruction that they begin at.
    """

    helpers: Mapping[int, str]
    symbols: Mapping[int, str]
    functions: Mapping[int, str]


NO_NAMES = Names({}, {}, {})


def instructions(insns: bytes, names: Names = NO_NAMES) -> Iterator[tuple[int, str]]:
    """Each instruction's number and text; a two-slot load is one instruction and takes two."""
    at, count = 0, len(insns) // 8
    while at < count:
        code, registers, off, imm = _INSN.unpack_from(insns, at * 8)
        value = imm & 0xFFFFFFFF
        wide = code == _WIDE_LOAD and at + 1 < count
        if wide:
            value |= int.from_bytes(insns[at * 8 + 12 : at * 8 + 16], "little") << 32
        insn = Insn(code, registers & 15, registers >> 4, off, imm, value)
        yield at, _CLASSES[code & 7](insn, at, names)
        at += 1 + wide


class Line(NamedTuple):
    """An instruction: its number and text; the function that begins there, and the source that it is the first of."""

    at: int
    text: str
    function: str
    source: Span | None


def lines(
    insns: bytes,
    *,
    btf: bytes = b"",
    func_info: bytes = b"",
    line_info: bytes = b"",
    helpers: Mapping[int, str] = NO_NAMES.helpers,
    symbols: Mapping[int, str] = NO_NAMES.symbols,
) -> list[Line]:
    """The program's instructions, with where they came from.

    ``btf``, ``func_info`` and ``line_info`` are as in a ProgramSpec, the rest as in ``Names``.
    """
    sources, functions = Lines(line_info, btf), _functions(func_info, btf)
    return [
        Line(at, text, functions.get(at, ""), sources.starting(at))
        for at, text in instructions(insns, Names(helpers, symbols, functions))
    ]


def listing(program: Sequence[Line]) -> str:
    """The program as text: function names, ``; source @ file:line``, instructions with numbers."""
    out: list[str] = []
    shown = None
    for at, text, function, source in program:
        if function:
            out += ["", f"{function}:"] if out else [f"{function}:"]
        if source and (function or (source.file, source.line) != shown):
            out.append(f"; {source.text.strip()} @ {source.file}:{source.line}")
        shown = (source.file, source.line) if source else shown
        out.append(f"{at:6d}: {text}")
    return "\n".join(out) + "\n" if out else ""


def _functions(func_info: bytes, btf: bytes) -> dict[int, str]:
    if not func_info or not btf:
        return {}
    types = Btf(btf)
    return {insn: types.name(type_id) for insn, type_id in _FUNC_INFO.iter_unpack(func_info)}


def _unknown(insn: Insn) -> str:
    return f"?{insn.code:02x} r{insn.dst} r{insn.src} {insn.off:+d} {insn.imm:#x}"


def _alu(insn: Insn, _at: int, _names: Names) -> str:
    wide = insn.code & 7 == 7
    register, operation = "r" if wide else "w", insn.code & 0xF0
    if operation == _END:
        return _swap(insn, wide=wide)
    dst, src = f"{register}{insn.dst}", f"{register}{insn.src}"
    if operation == _NEG:
        return f"{dst} = -{dst}"
    sign = _ALU.get(operation)
    if operation in _SIGNED_ALU and insn.off == 1:
        sign = _SIGNED_ALU[operation]
    if sign is None:
        return _unknown(insn)
    if not insn.code & 8:
        return f"{dst} {sign} {insn.imm}"
    if operation == _MOV and insn.off:
        return _moved(insn, dst, src, wide=wide)
    return f"{dst} {sign} {src}"


def _moved(insn: Insn, dst: str, src: str, *, wide: bool) -> str:
    """A move whose offset says what it does on the way."""
    if insn.off in _SIGN_EXTENDED:
        return f"{dst} = {_SIGN_EXTENDED[insn.off]}{src}"
    if wide and insn.off == 1:
        return f"{dst} = addr_space_cast({src}, {insn.value >> 16}, {insn.value & 0xFFFF})"
    if wide and insn.off == -1:
        return f"{dst} = &(void __percpu *)({src})"
    return _unknown(insn)


def _swap(insn: Insn, *, wide: bool) -> str:
    name = "bswap" if wide else "be" if insn.code & 8 else "le"
    return f"r{insn.dst} = {name}{insn.imm} r{insn.dst}"


def _load(insn: Insn, _at: int, _names: Names) -> str:
    mode, size = insn.code & 0xE0, insn.code & 0x18
    kind = _SIZE[size] if mode == _MEM else _SIGNED_SIZE.get(size) if mode == _MEMSX else None
    if kind is None:
        return _unknown(insn)
    return f"r{insn.dst} = *({kind} *)(r{insn.src} {insn.off:+d})"


def _load_special(insn: Insn, at: int, names: Names) -> str:
    mode, kind = insn.code & 0xE0, _SIZE[insn.code & 0x18]
    if mode == _ABS:
        return f"r0 = *({kind} *)skb[{insn.imm}]"
    if mode == _IND:
        return f"r0 = *({kind} *)skb[r{insn.src} + {insn.imm}]"
    if insn.code != _WIDE_LOAD:
        return _unknown(insn)
    return f"r{insn.dst} = {_address(insn, at, names)}"


def _address(insn: Insn, at: int, names: Names) -> str:
    if at in names.symbols:
        return names.symbols[at]
    if insn.src == _MAP:
        return f"map[fd:{insn.imm}]"
    if insn.src == _MAP_VALUE:
        return f"map[fd:{insn.imm}][0]+{insn.value >> 32}"
    if insn.src == _FUNCTION:
        return f"subprog[{insn.imm:+d}]{_target(insn, at, names)}"
    return f"{insn.value:#x}"


def _store(insn: Insn, _at: int, _names: Names) -> str:
    if insn.code & 0xE0 == _NOSPEC:
        return "nospec"
    if insn.code & 0xE0 != _MEM:
        return _unknown(insn)
    return f"*({_SIZE[insn.code & 0x18]} *)(r{insn.dst} {insn.off:+d}) = {insn.imm}"


def _store_register(insn: Insn, _at: int, _names: Names) -> str:
    mode, kind = insn.code & 0xE0, _SIZE[insn.code & 0x18]
    if mode == _MEM:
        return f"*({kind} *)(r{insn.dst} {insn.off:+d}) = r{insn.src}"
    if mode != _ATOMIC:
        return _unknown(insn)
    where = f"({kind} *)(r{insn.dst} {insn.off:+d})"
    wide = "64" if insn.code & 0x18 == 0x18 else ""
    if insn.imm in _ATOMIC_LOCK:
        return f"lock *{where} {_ATOMIC_LOCK[insn.imm]} r{insn.src}"
    if insn.imm in _ATOMIC_FETCH:
        return f"r{insn.src} = atomic{wide}_{_ATOMIC_FETCH[insn.imm]}({where}, r{insn.src})"
    if insn.imm in _ATOMIC_OTHER:
        source = f"({kind} *)(r{insn.src} {insn.off:+d})"
        return _ATOMIC_OTHER[insn.imm].format(
            dst=insn.dst, src=insn.src, wide=wide, where=where, source=source
        )
    return _unknown(insn)


def _jump(insn: Insn, at: int, names: Names) -> str:
    wide, operation = insn.code & 7 == 5, insn.code & 0xF0
    if operation in _JUMP:
        register = "r" if wide else "w"
        right = f"{register}{insn.src}" if insn.code & 8 else f"{insn.value:#x}"
        sign = _JUMP[operation]
        return f"if {register}{insn.dst} {sign} {right} goto pc{insn.off:+d}"
    if not wide:
        return f"gotol pc{insn.imm:+d}" if insn.code == 0x06 else _unknown(insn)
    return _FLOW.get(insn.code, _no_flow)(insn, at, names)


def _call(insn: Insn, at: int, names: Names) -> str:
    if insn.src == _LOCAL_CALL:
        return f"call pc{insn.imm:+d}{_target(insn, at, names)}"
    if at in names.symbols:
        return f"call {names.symbols[at]}"
    known = "kernel-function" if insn.src == _KERNEL_CALL else names.helpers.get(insn.imm)
    return f"call {known or 'unknown'}#{insn.imm}"


def _target(insn: Insn, at: int, names: Names) -> str:
    name = names.functions.get(at + insn.imm + 1)
    return f"#{name}" if name else ""


def _no_flow(insn: Insn, _at: int, _names: Names) -> str:
    return _unknown(insn)


_FLOW: dict[int, Callable[[Insn, int, Names], str]] = {
    0x05: lambda insn, _at, _names: f"goto pc{insn.off:+d}",
    0x0D: lambda insn, _at, _names: f"gotox r{insn.dst}",
    0x85: _call,
    0x95: lambda _insn, _at, _names: "exit",
    0xE5: lambda insn, _at, _names: f"may_goto pc{insn.off:+d}",
}
_CLASSES: tuple[Callable[[Insn, int, Names], str], ...] = (
    _load_special,
    _load,
    _store,
    _store_register,
    _alu,
    _jump,
    _jump,
    _alu,
)
