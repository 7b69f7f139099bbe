"""The node of the typed tree for what the kernel has under a name."""

from dataclasses import dataclass

from skep.lang.kernel_variables import Wanted
from skep.lang.tree import Expr


@dataclass(frozen=True, slots=True, eq=False)
class KernelSymbol(Expr):
    """A variable of the kernel as a pointer, or an address as a number."""

    name: str
    wanted: Wanted
