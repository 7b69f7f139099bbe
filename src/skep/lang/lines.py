"""Which source line an instruction came from: the line records of a program, decoded.

A pure function of the bytes that BPF_PROG_LOAD takes. ``disasm`` and the reader of verifier logs
use it; it knows neither.
"""

import struct
from bisect import bisect_right

from skep.base.errors import Span
from skep.btf.reader import Btf

_RECORD = struct.Struct("<IIII")
_COLUMN_BITS = 10


class Lines:
    """The source lines of a program, from its ``line_info`` (records of 16 bytes) and BTF."""

    def __init__(self, line_info: bytes, btf: bytes) -> None:
        records = list(_RECORD.iter_unpack(line_info)) if btf else []
        self._starts = [insn for insn, _, _, _ in records]
        self._spans = _spans(records, Btf(btf)) if records else []

    def at(self, insn: int) -> Span | None:
        """The line that instruction ``insn`` came from; None where that is not known."""
        index = bisect_right(self._starts, insn) - 1
        return self._spans[index] if index >= 0 else None

    def starting(self, insn: int) -> Span | None:
        """The line whose instructions begin at ``insn``; None in the middle of one."""
        index = bisect_right(self._starts, insn) - 1
        return self._spans[index] if index >= 0 and self._starts[index] == insn else None


def _spans(records: list[tuple[int, ...]], types: Btf) -> list[Span]:
    spans = []
    for _, file, text, place in records:
        line, column = place >> _COLUMN_BITS, max(1, place & (1 << _COLUMN_BITS) - 1)
        spans.append(Span(types.string(file), line, column, column + 1, types.string(text)))
    return spans
