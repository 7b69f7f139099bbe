"""The node of the typed tree for text that lies in constant memory, where a kernel asks for it there."""

from dataclasses import dataclass

from skep.lang.tree import Expr


@dataclass(frozen=True, slots=True, eq=False)
class ConstantText(Expr):
    """The address of bytes that nothing changes; they end with a NUL."""

    data: bytes
