"""LLVM modules for tests of the back half of the compiler, and what is made of them, once per run."""

from functools import lru_cache
from pathlib import Path

from skep.lang.backend import IrModule, emit
from skep.lang.link import link
from skep.lang.linked import Linked

IR = Path(__file__).with_name("ir")
HEAD = 'target datalayout = "e-m:e-p:64:64-i64:64-i128:128-n32:64-S128"\ntarget triple = "bpfel"\n'


def text(name: str) -> str:
    """The text of a module."""
    return (IR / f"{name}.ll").read_text()


@lru_cache
def compiled(name: str, cpu: str = "v3") -> bytes:
    """Its object."""
    return emit([IrModule(name, text(name), cpu)])[0]


@lru_cache
def linked(name: str) -> Linked:
    """The program that begins at the function of that name."""
    return link(compiled(name), name)
