"""The node of the typed tree for text that lies in constant memory, where a kernel asks for it there."""

from skep.base.frozen import distinct
from skep.lang.tree import Expr


@distinct
class ConstantText(Expr):
    """The address of bytes that nothing changes; they end with a NUL."""

    data: bytes
