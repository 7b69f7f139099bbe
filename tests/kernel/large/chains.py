"""The program of chain.c, whose stack is known to the last frame, compiled where it runs."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from tools import debian

CHAIN = Path(__file__).with_name("chain.c")
FLAGS = (
    "-O2",
    "-ffreestanding",
    "-fomit-frame-pointer",
    "-fasynchronous-unwind-tables",
    "-fno-optimize-sibling-calls",
)
CYCLE = ("plain", "kept", "aligned", "varied")


@pytest.fixture(scope="session")
def chain(absent: Callable[[str], NoReturn], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program of chain.c."""
    folder = tmp_path_factory.mktemp("chain")
    try:
        clang = debian.program("clang", "clang-19")
        linker = debian.program("binutils", "x86_64-linux-gnu-ld")
    except debian.Unavailable as reason:
        absent(f"a program with a known stack needs clang-19 and binutils of Debian: {reason}")
    made, program = folder / "chain.o", folder / "chain"
    subprocess.run([clang, *FLAGS, "-Wall", "-Werror", "-c", CHAIN, "-o", made], check=True)
    subprocess.run([linker, made, "-o", program], check=True)
    return program


def called(depth: int) -> list[str]:
    """The functions on the stack of ``chain DEPTH``, from the innermost on."""
    calls = [CYCLE[at % len(CYCLE)] for at in range(depth + 1)]
    return ["stay", *reversed(calls), "begin", "_start"]
