"""What the kernel tells of a program beyond its row in a list: its code, types, source lines and maps.

Values only; it is read by descriptor, and no descriptor is kept. What the kernel does not hand over (to a process
without CAP_PERFMON it gives no code) is empty.
"""

import struct
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from skep.btf.reader import Btf
from skep.kernel import commands
from skep.kernel.bpf import Door, address
from skep.kernel.objects import PROGRAM_SIZE, btf_blob
from skep.kernel.symbols import KALLSYMS
from skep.lang.disasm import Line, lines

_BTF, _ATTACH = 128, 224
_CALL, _WIDE_LOAD = 0x85, 0x18
_BASE = " __bpf_call_base\n"


class _Part(NamedTuple):
    """An array of struct bpf_prog_info: where its length and its address stand, the bytes of an element.

    ``stated`` is where the caller states those bytes, 0 where it does not.
    """

    length: int
    pointer: int
    size: int
    stated: int = 0


_INSNS, _MAPS = _Part(20, 32, 1), _Part(52, 56, 4)
_FUNCTIONS, _LINES = _Part(144, 136, 8, 132), _Part(148, 152, 16, 172)
_PARTS = (_INSNS, _MAPS, _FUNCTIONS, _LINES)


class Code(NamedTuple):
    """A loaded program: ``insns`` as the kernel rewrote them, its own BTF, function and line records, ids of its maps.

    ``attach_id`` is the kernel type that it was loaded for, 0 where there is none.
    """

    insns: bytes
    maps: tuple[int, ...]
    func_info: bytes
    line_info: bytes
    btf: bytes
    attach_id: int


def program_code(door: Door, fd: int) -> Code:
    """The code of a program. OSError where the descriptor is none of a program."""
    about = bytearray(commands.info(door, fd, PROGRAM_SIZE))
    kept = bytearray(about)
    about[:] = bytes(PROGRAM_SIZE)
    arrays = []
    for part in _PARTS:
        (count,) = struct.unpack_from("<I", kept, part.length)
        arrays.append(bytearray(count * part.size))
        struct.pack_into("<I", about, part.length, count)
        struct.pack_into("<Q", about, part.pointer, address(arrays[-1]))
        if part.stated:
            struct.pack_into("<I", about, part.stated, part.size)
    commands.info_into(door, fd, about)
    (btf_id,) = struct.unpack_from("<I", kept, _BTF)
    (attach_id,) = struct.unpack_from("<I", kept, _ATTACH)
    insns, maps, functions, places = map(bytes, arrays)
    ids = struct.unpack(f"<{len(maps) // 4}I", maps)
    blob = btf_blob(door, btf_id) if btf_id else b""
    return Code(insns, ids, functions, places, blob, attach_id)


def disassembled(
    code: Code, kernel: Btf, maps: Mapping[int, str], name: Callable[[int], str]
) -> list[Line]:
    """The code as instructions, with its lines; ``maps`` are names by id, ``name`` tells the function at an address.

    The kernel has put ids in the place of maps, and in that of helpers how far they lie from a base of its own.
    """
    called = _calls(code.insns)
    base = call_base() if called else 0
    helpers = (
        {offset: name(base + offset).removeprefix("bpf_") for offset in called} if base else {}
    )
    return lines(
        code.insns,
        btf=code.btf,
        func_info=code.func_info,
        line_info=code.line_info,
        helpers=helpers,
        symbols=_maps(code.insns, maps) | _kfuncs(code.insns, kernel),
    )


def call_base(path: str = KALLSYMS) -> int:
    """The address from which the kernel reckons helpers; 0 where it is not told."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return next((int(line[:16], 16) for line in file if line.endswith(_BASE)), 0)
    except OSError:
        return 0


def _places(insns: bytes, operation: int, *sources: int) -> Iterator[int]:
    """Where instructions of a code and source register stand, by byte."""
    for at in range(0, len(insns), 8):
        if insns[at] == operation and insns[at + 1] >> 4 in sources:
            yield at


def _calls(insns: bytes) -> set[int]:
    return {struct.unpack_from("<i", insns, at + 4)[0] for at in _places(insns, _CALL, 0)}


def _kfuncs(insns: bytes, kernel: Btf) -> dict[int, str]:
    found = {}
    for at in _places(insns, _CALL, 2):
        number = int.from_bytes(insns[at + 4 : at + 8], "little")
        found[at // 8] = kernel.name(number) if number < kernel.count else f"function {number}"
    return found


def _maps(insns: bytes, names: Mapping[int, str]) -> dict[int, str]:
    """The names of maps by the instruction that loads one, or the address of its value."""
    found = {}
    for at in _places(insns, _WIDE_LOAD, 1, 2):
        number, offset = struct.unpack_from("<I4xI", insns, at + 4)
        name = names.get(number, f"map {number}")
        found[at // 8] = f"{name} + {offset}" if insns[at + 1] >> 4 == 2 else name
    return found
