"""The node of the typed tree for what the kernel has under a name."""

from skep.base.frozen import distinct
from skep.lang.kernel_variables import Wanted
from skep.lang.tree import Expr


@distinct
class KernelSymbol(Expr):
    """A variable of the kernel as a pointer, or an address as a number."""

    name: str
    wanted: Wanted
