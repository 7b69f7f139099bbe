"""Names of addresses in a process: by a file of its mappings, and small ELF files."""

from pathlib import Path

import pytest

from skep.kernel.process_symbols import ProcessSymbols
from tests.unit.kernel.elves import BASE, TEXT, Function, elf

START = 0x7F00_0000_0000
MAPS = f"""\
{START - 0x1000:x}-{START:x} r--p 00000000 fe:00 7 /opt/an app
{START:x}-{START + 0x1000:x} r-xp {TEXT:08x} fe:00 7                      /opt/an app
{START + 0x1000:x}-{START + 0x2000:x} rw-p 00002000 fe:00 7 /opt/an app
{START + 0x3000:x}-{START + 0x4000:x} rwxp 00000000 00:00 0
{START + 0x5000:x}-{START + 0x6000:x} r-xp 00000000 00:00 0   [vdso]
{START + 0x7000:x}-{START + 0x8000:x} r-xp 00000000 fe:00 8 /tmp/gone (deleted)
"""
FUNCTIONS = (
    Function("begin", BASE + 0x10),
    Function("__begin", BASE + 0x10),
    Function("end", BASE + 0x20),
)


@pytest.fixture
def symbols(tmp_path: Path) -> ProcessSymbols:
    process = tmp_path / "7"
    (process / "root/opt").mkdir(parents=True)
    (process / "root/opt/an app").write_bytes(elf(FUNCTIONS))
    (process / "maps").write_text(MAPS)
    return ProcessSymbols(7, str(tmp_path))


@pytest.mark.parametrize(
    ("offset", "name"),
    [
        (0x10, "begin+0x0 [an app]"),
        (0x13, "begin+0x3 [an app]"),
        (0x14, "an app+0x1014"),
        (0x21, "end+0x1 [an app]"),
        (0, "an app+0x1000"),
        (-1, hex(START - 1)),
        (0x1000, hex(START + 0x1000)),
        (0x3008, hex(START + 0x3008)),
        (0x5008, "[vdso]+0x8"),
        (0x7008, "gone (deleted)+0x8"),
    ],
)
def test_an_address_is_named_by_the_file_that_is_mapped_there(
    symbols: ProcessSymbols, offset: int, name: str
) -> None:
    assert symbols.name(START + offset) == name


def test_stacks_name_the_functions_that_made_the_calls(symbols: ProcessSymbols) -> None:
    """A call may be the last that a function does: what it returns to is behind it."""
    inner, outer = START + 0x20, START + 0x14
    assert symbols.stacks([[inner, outer, 0, 0], [5], []]) == [["end", "begin"], ["0x5"], []]


def test_a_file_is_read_once(symbols: ProcessSymbols, tmp_path: Path) -> None:
    assert symbols.name(START + 0x10) == "begin+0x0 [an app]"
    (tmp_path / "7/root/opt/an app").unlink()
    assert symbols.name(START + 0x20) == "end+0x0 [an app]"


def test_of_a_process_that_is_gone_nothing_is_known(tmp_path: Path) -> None:
    assert ProcessSymbols(8, str(tmp_path)).name(START) == hex(START)
