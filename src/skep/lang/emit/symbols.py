"""What stands for what only the loader knows: names of the kernel, and constant memory."""

from skep.lang.constant_text import ConstantText
from skep.lang.emit.function import Value, Writer
from skep.lang.kernel_symbols import KernelSymbol
from skep.lang.kernel_variables import Wanted


def named(w: Writer, node: KernelSymbol) -> Value:
    """A variable as a pointer, an address as a number. The symbol is weak: LLVM is not to think that it is not 0."""
    symbol = f'"{node.wanted.value}{node.name}"'
    w.module.symbols.add(symbol)
    if node.wanted is Wanted.VARIABLE:
        return Value(f"@{symbol}")
    return Value(w.get(f"ptrtoint ptr @{symbol} to i64"))


def text(w: Writer, node: ConstantText) -> Value:
    """Text in constant memory; what is the same is there once."""
    return Value(w.module.constant(node.data))
