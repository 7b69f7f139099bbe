"""Expressions of DWARF as operations, as far as frames use them. A pure function of bytes.

Source: DWARF 5, section 2.5.
"""

from examples.large.unwinder.cursor import Cursor

Operation = tuple[str, int, int]
"""Its name and two numbers: of ``base`` a register and an offset, of ``literal`` and ``add`` a number."""
PLAIN = {0x06: "deref", 0x1A: "and", 0x22: "plus", 0x24: "shl", 0x2A: "ge"}
LITERALS, BASES, ADD = range(0x30, 0x50), range(0x70, 0x90), 0x23


def operations(code: bytes) -> tuple[Operation, ...]:
    """The operations of an expression; one that frames do not use is called ``other`` and is the last."""
    found: list[Operation] = []
    cursor = Cursor(code)
    while cursor.at < cursor.end:
        one = _operation(cursor)
        found.append(one)
        if one[0] == "other":
            break
    return tuple(found)


def _operation(cursor: Cursor) -> Operation:
    code = cursor.byte()
    if code in BASES:
        return "base", code - BASES.start, cursor.sleb()
    if code in LITERALS:
        return "literal", code - LITERALS.start, 0
    if code == ADD:
        return "add", cursor.uleb(), 0
    return PLAIN.get(code, "other"), code, 0
