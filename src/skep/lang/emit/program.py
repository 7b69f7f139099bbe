"""A program and its subprograms as one LLVM module."""

from collections.abc import Callable, Sequence

from skep.lang.chains import Chain
from skep.lang.check.loops import Lowerings
from skep.lang.emit import called
from skep.lang.emit.expressions import RULES
from skep.lang.emit.function import Plan, Writer
from skep.lang.emit.sizes import Known, sizes
from skep.lang.emit.statements import STATEMENTS, end, finish
from skep.lang.emit.text import INLINING, NO_TABLES, Module, joined, llvm_type
from skep.lang.maps import Declaration
from skep.lang.reach import reachable
from skep.lang.tree import Function, Parameter, Reserve
from skep.lang.types import IntType
from skep.lang.values import BOOL, Pointer, Several

Unset = Callable[[Reserve], tuple[tuple[int, int], ...]]


def emit(
    entry: Function,
    maps: Sequence[Declaration],
    unset: Unset,
    lowering: Lowerings,
    chain: Chain | None = None,
) -> str:
    """The module's text. ``maps[i]`` is the symbol ``map.i``; ``unset`` gives a record's bytes that nothing sets.

    ``chain`` says how the entry goes on, where it is chained.
    """
    functions = reachable(entry)
    module = Module(sources=joined(functions))
    names = {id(f): f"{f.name}.{i}" if i else f.name for i, f in enumerate(functions)}

    def index(declared: Declaration) -> int:
        return next(i for i, other in enumerate(maps) if other is declared)

    known: Known = {}
    plan = Plan(
        *(lambda f: names[id(f)], index, unset, lowering),
        *(lambda f: sizes(f, known), RULES, STATEMENTS),
    )
    for function in functions:
        module.functions.append(_function(module, function, plan, chain))
    return module.text()


def _function(module: Module, function: Function, plan: Plan, chain: Chain | None) -> str:
    scope = module.subprogram(function, local=not (function.entry or function.is_global))
    frame = called.layout(function, plan.lowering)
    writer = Writer(module, function, scope, plan, frame)
    writer.chain = chain if function.entry else None
    if frame:
        writer.slots[f"  %frame = alloca [{8 * len(frame)} x i8], align 8"] = None
    called.prepare(writer, function.body)
    if function.is_global and not function.tagged:
        _refuse_none(writer, function)
    writer.write(function.body)
    if not writer.done:
        finish(writer, None)
    end(writer)
    parameters = ["ptr %ctx"] if function.context else []
    if not function.entry:
        widths = ("" if function.is_global else _extension(p) for p in function.parameters)
        parameters += [
            f"{llvm_type(p.type)}{wide} %p{i}"
            for i, (p, wide) in enumerate(zip(function.parameters, widths, strict=True))
        ]
    if isinstance(function.result, Several):
        parameters.append("ptr %out")
    # Weak, LLVM takes nothing that it knows of the one side for granted on the other: the verifier does not either.
    linkage = "" if function.entry else "weak " if function.is_global else "internal "
    signature = f"@{plan.symbols(function)}({', '.join(parameters)})"
    head = f"define {linkage}{llvm_type(function.result)} {signature}"
    attributes = f"{INLINING[function.inline] if not function.entry else ''}nounwind {NO_TABLES}"
    lines = [f"{head} {attributes} !dbg !{scope} {{", "entry:", *writer.slots, *writer.body, "}"]
    return "\n".join(lines)


def _refuse_none(w: Writer, function: Function) -> None:
    """Leave where an argument is None that never is: no caller passes that, but the verifier does not know."""
    for index, parameter in enumerate(function.parameters):
        if isinstance(parameter.type, Pointer) and not parameter.type.nullable:
            none, there = w.name("none"), w.name("there")
            w.at(function.body[0].span)
            w.branch(w.get(f"icmp eq ptr %p{index}, null"), none, there)
            w.start(none)
            w.do(f"ret {llvm_type(function.result)} 0")
            w.done = True
            w.start(there)


def _extension(parameter: Parameter) -> str:
    if isinstance(parameter.type, IntType) and parameter.type.bits < 64:
        return " signext" if parameter.type.signed else " zeroext"
    return " zeroext" if parameter.type is BOOL else ""
