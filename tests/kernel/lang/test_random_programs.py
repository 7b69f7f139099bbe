"""Random programs have each construct of the language that they are to show, and are the same for the same seed."""

import random
import re

import pytest

from tests.kernel.lang.random_tables import Everything

pytestmark = pytest.mark.native("writes random programs, and asks no kernel")
SEEDS, LEAST = 700, 2
FAMILIES = {
    "match": r"case \d+ \|",
    "a guard": r"case .* if ",
    "a name in a case": r"case y\d+:",
    "several values": r"^\s*x\d+, x\d+ = g\d",
    "divmod": r"divmod\(",
    "exchange": r"x\d+, x\d+ = \w+\(",
    "several targets": r"\w+ = \w+ = \w+\(",
    "a name in a condition": r"if \(x\d+ := ",
    "a chain of comparisons": r"< \w+\(.*\) <",
    "a choice": r" if .* else ",
    "min of three": r"m(in|ax)\([us]\d+\(.*, [us]\d+\(.*, [us]\d+\(",
    "abs": r"abs\(",
    "shift": r" << ",
    "remainder": r" % ",
    "cast": r"s8\(",
    "a truth value by name": r"^\s*b\d+ = ",
    "an enumeration": r"Level\.HIGH",
    "a captured constant": r"NUMBER",
    "log2": r"skep\.log2",
    "network order": r"skep\.[hn]to[hn]",
    "atomic": r"skep\.atomic_cmpxchg",
    "for over a range": r"for i\d+ in range\(u32\(\d+\), \d+, \d",
    "for over an unknown range": r"for i\d+ in range\(u32\(.* % 5, ",
    "for over a short range": r"for x\d+ in range\(x\d+, x\d+ \+",
    "for over a typed range": r"for r\d+ in range\(s8",
    "for over a tuple": r"for k\d+ in CHOICES",
    "for over an array": r"for x\d+ in m:",
    "for over structs": r"for q\d+ in \w+\.cells",
    "reversed": r"in reversed\(",
    "enumerate": r"in enumerate\(",
    "enumerate from a number": r"in enumerate\(.*, 2\)",
    "zip": r"in zip\(",
    "zip of arrays": r"in zip\(\w+\.signed",
    "while": r"while w\d+ <",
    "while True": r"while True",
    "while counts down": r"while v\d+",
    "break": r"break",
    "continue": r"continue",
    "inline": r"@skep\.inline",
    "noinline": r"@skep\.noinline",
    "a global function": r"@skep\.global_function",
    "a declared result": r"def f.*\) -> ",
    "a default": r"def f.* = \d+\)",
    "an argument by name": r"f\d+_\d\(.*p\d=",
    "a function of a function": r"applied\(f",
    "an array that a function changes": r"lowered\(m",
    "a struct that a function changes": r"bumped\(n",
    "a part that a function changes": r"touch\(",
    "a part that a called function changes": r"touched\(",
    "a part that a global function changes": r"touched_alone\(",
    "an effect": r"noted\(",
    "an effect in a condition": r"says\(",
    "a number behind a pointer in its turn": r"raised\(",
    "in place": r"[*^+-]= ",
    "a field": r"n\.inner\.",
    "an element": r"n\.cells\[",
    "a struct in an array": r"d\.cells\[.*\]\.",
    "an index from the end": r"\[-1\]",
    "an index by a remainder": r" % 3\]",
    "a second name": r"^\s*q\d+ = \w+\.cells",
    "a copy of a struct": r"\.cells\[.*\] = \w+\.cells\[.*\]$",
    "an exchange of structs": r"\.cells\[.*\], \w+\.cells\[.*\] = ",
    "an exchange of arrays": r"\.signed, \w+\.signed = ",
    "a struct that is made": r"= Cell\(",
    "an array changed as a whole": r"\.(signed|wide) [|&^]= \w+\.",
    "a number in an array": r" in \w+\.(wide|signed)\)",
    "arrays that are equal": r"\.(wide|signed) == ",
    "bytes": r"t\[\d+:\d+\] = b",
    "a part of bytes": r"t\[\d+:\d+\] = t\[",
    "find": r"t\.find\(",
    "startswith": r"\.startswith\(",
    "bytes in bytes": r"\(b'.*' in t\)",
    "text": r"\.name = \"",
    "a union": r"u\.raw\[",
    "a bit field": r"w\.\w \+?= ",
    "a view of a number": r"ctx\.view\(u16, ",
    "a view in network order": r"ctx\.view\(be32, ",
    "a view of a struct": r"ctx\.view\(Cell, ",
    "lookup": r"table\.lookup\(",
    "lookup of a struct": r"values\.lookup\(|found\(values",
    "update": r"table\.update\(",
    "increment": r"\.increment\(",
    "delete": r"del \w+\[",
    "setdefault": r"\.setdefault\(",
    "for_each": r"\.for_each\(summed",
    "for_each that ends": r"\.for_each\(searched",
    "a key in a map": r" in table\)",
    "a variable of the program": r"state\.",
    "a constant of a load": r"limits\.",
    "a queue": r"jobs\.p",
    "a stack": r"stack\.p",
    "a bloom filter": r"known\.add",
    "a bloom filter that is asked": r" in known\)",
    "LRU": r"recent\.",
    "an array of each CPU": r"by_cpu\.",
    "a table of each CPU": r"cpu_table\.",
    "prefixes": r"routes\.update",
    "the longest prefix": r"routes\.lookup",
    "an arena": r"heap\.",
    "a lock": r"with g\d+\.lock:",
    "a map in a map": r"nested\.lookup",
    "a tail call": r"steps\.call\(ctx, 1\)",
    "a record": r"ring\.reserve\(",
    "a record with a tail": r"lines\.reserve\(",
}
"""What programs have, by what shows it in a line of their source."""
LOOP = "for |while "
NESTED = {
    "loops in loops": (LOOP, LOOP),
    "maps in loops": (LOOP, r".*\.(lookup|increment|update)\("),
    "effects in loops": (LOOP, r".*noted\("),
    "a loop in a function": (r"def f", LOOP),
    "a function that calls another": (r"def f\w+_1\(", r".*f\d+_0\("),
    "a loop where a pointer is not None": (r"if c\d+ is not None", LOOP),
    "a loop in a case": (r"case ", LOOP),
}
"""What stands within what."""


def _within(source: str, outer: str, inner: str) -> bool:
    """Whether a line stands in the block of another."""
    opened: list[int] = []
    for line in source.splitlines():
        text = line.lstrip()
        indent = len(line) - len(text)
        opened = [one for one in opened if one < indent]
        if opened and re.match(inner, text):
            return True
        if re.match(outer, text):
            opened.append(indent)
    return False


def _ends_loops(source: str) -> bool:
    """Whether a loop has an ``else``."""
    opened: dict[int, bool] = {}
    for line in source.splitlines():
        text = line.lstrip()
        indent = len(line) - len(text)
        if text == "else:" and opened.get(indent):
            return True
        opened = {one: loop for one, loop in opened.items() if one < indent}
        opened[indent] = bool(re.match(LOOP, text))
    return False


def _sources() -> list[str]:
    made = [
        Everything(seed, declared).program() for seed in range(SEEDS) for declared in (True, False)
    ]
    return [one.source for one in made]


@pytest.fixture(scope="module")
def sources() -> list[str]:
    """The source of programs that CI runs."""
    return _sources()


@pytest.mark.parametrize("family", FAMILIES)
def test_programs_have(family: str, sources: list[str]) -> None:
    pattern = re.compile(FAMILIES[family], re.MULTILINE)
    assert sum(pattern.search(source) is not None for source in sources) >= LEAST


@pytest.mark.parametrize("family", NESTED)
def test_programs_have_within(family: str, sources: list[str]) -> None:
    assert sum(_within(source, *NESTED[family]) for source in sources) >= LEAST


def test_programs_have_loops_with_an_else(sources: list[str]) -> None:
    assert sum(map(_ends_loops, sources)) >= LEAST


def test_a_seed_gives_one_program() -> None:
    random.seed(5)
    assert [Everything(seed).program().source for seed in range(20)] == [
        Everything(seed).program().source for seed in range(20)
    ]
