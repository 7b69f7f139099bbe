"""What the kernel has under a name: a symbol, for which the loader puts a number."""

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
