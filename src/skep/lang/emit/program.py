"""A program and its subprograms as one LLVM module."""

from collections.abc import Callable, Sequence

from skep.lang.chains import Chain
from skep.lang.emit.expressions import RULES
from skep.lang.emit.function import Writer
from skep.lang.emit.statements import block, end, finish
from skep.lang.emit.text import INLINING, NO_TABLES, Module, joined, llvm_type
from skep.lang.maps import Declaration
from skep.lang.tree import Function, Parameter, Reserve
from skep.lang.types import IntType
from skep.lang.values import BOOL

Unset = Callable[[Reserve], tuple[tuple[int, int], ...]]


def emit(
    entry: Function, maps: Sequence[Declaration], unset: Unset, chain: Chain | None = None
) -> str:
    """The module's text. ``maps[i]`` is the symbol ``map.i``; ``unset`` gives a record's bytes that nothing sets.

    ``chain`` says how the entry goes on, where it is chained.
    """
    functions = _reachable(entry)
    module = Module(sources=joined(functions))
    names = {id(f): f"{f.name}.{i}" if i else f.name for i, f in enumerate(functions)}
    for function in functions:
        module.functions.append(
            _function(module, function, lambda f: names[id(f)], maps, unset, chain=chain)
        )
    return module.text()


def _reachable(entry: Function) -> list[Function]:
    found: list[Function] = []
    queue = [entry]
    while queue:
        function = queue.pop(0)
        if all(function is not other for other in found):
            found.append(function)
            queue += function.calls
    return found


def _function(
    module: Module,
    function: Function,
    symbols: Callable[[Function], str],
    maps: Sequence[Declaration],
    unset: Unset,
    *,
    chain: Chain | None,
) -> str:
    scope = module.subprogram(function, local=not function.entry)

    def index(declared: Declaration) -> int:
        return next(i for i, other in enumerate(maps) if other is declared)

    writer = Writer(module, function, scope, symbols, index, unset, RULES)
    writer.chain = chain if function.entry else None
    block(writer, function.body)
    if not writer.done:
        finish(writer, None)
    end(writer)
    parameters = ["ptr %ctx"] if function.context else []
    if not function.entry:
        parameters += [
            f"{llvm_type(p.type)}{_extension(p)} %p{i}" for i, p in enumerate(function.parameters)
        ]
    linkage = "" if function.entry else "internal "
    signature = f"@{symbols(function)}({', '.join(parameters)})"
    head = f"define {linkage}{llvm_type(function.result)} {signature}"
    attributes = f"{INLINING[function.inline] if not function.entry else ''}nounwind {NO_TABLES}"
    lines = [f"{head} {attributes} !dbg !{scope} {{", "entry:", *writer.slots, *writer.body, "}"]
    return "\n".join(lines)


def _extension(parameter: Parameter) -> str:
    if isinstance(parameter.type, IntType) and parameter.type.bits < 64:
        return " signext" if parameter.type.signed else " zeroext"
    return " zeroext" if parameter.type is BOOL else ""
