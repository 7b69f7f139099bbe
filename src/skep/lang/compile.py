"""Compiling: a program to its spec. Front end, checks, emitter, back end, linker, in that order; no kernel is asked.

``parsed`` is all but the back end, so that errors come before LLVM starts; ``compile_all`` starts one back end for any
number of programs. What comes out depends on the source, what it captures, and the target alone.
"""

from collections.abc import Sequence
from dataclasses import replace

from skep.lang import modules
from skep.lang.availability import at
from skep.lang.backend import Backend, IrModule
from skep.lang.capture import declarations
from skep.lang.check.flow import check
from skep.lang.check.loops import lowerings
from skep.lang.emit.program import emit as emit_ir
from skep.lang.frames import refuse_deep
from skep.lang.front.build import Front
from skep.lang.front.prints import formats
from skep.lang.front.scope import Target
from skep.lang.kernel_variables import Wanted
from skep.lang.link import link
from skep.lang.linked import Linked
from skep.lang.maps import Global
from skep.lang.programs import Program
from skep.lang.reach import reachable
from skep.lang.returns import returned
from skep.lang.spec import ProgramKind
from skep.lang.tree import Function

PRIVATE_STACK = "bpf_jit_supports_private_stack"
"""A function of kernels that give large frames of tracing programs a stack of their own (6.13)."""


def tree(program: Program, target: Target) -> Function:
    """The checked typed tree of a program. Raises CompileError."""
    front = Front(
        _typed(program, target),
        at(program.kind, program.hook),
        program.hook,
        program.calls,
        program.replaces,
    )
    return front.program(program.function)


def _typed(program: Program, target: Target) -> Target:
    """The target with the types of the module that the program is for, on top of the kernel's."""
    module, _ = modules.split(program.kind.name, program.hook)
    types = target.modules(module) if module else None
    return target if types is None else replace(target, types=types)


def ir(program: Program, target: Target) -> IrModule:
    """The program as the text of an LLVM module. Raises CompileError."""
    return _emitted(program, target)[0]


def _emitted(program: Program, target: Target) -> tuple[IrModule, tuple[str, ...]]:
    """The program for LLVM, and the formats of the lines that it prints."""
    entry = tree(program, target)
    unset = check(entry, _kind(program, target))
    functions = reachable(entry)
    how = lowerings(functions, iterates=target.iterates)
    maps = [declared for _, declared in declarations(program)]
    text = emit_ir(entry, maps, unset, how, program.chain)
    return IrModule(program.name, text, target.cpu), formats(functions)


def _kind(program: Program, target: Target) -> ProgramKind:
    """The program's kind, with the results that its own hook takes."""
    kind = program.kind
    return replace(kind, returns=returned(kind, program.hook, target.types))


def compile_all(programs: Sequence[Program], target: Target) -> list[Linked]:
    """The linked code of programs, by one back end. Raises CompileError at the first that is wrong."""
    with Backend() as backend:  # it imports LLVM while the front end works
        emitted = [_emitted(program, target) for program in programs]
        objects = backend.emit([module for module, _ in emitted])
    made = [
        replace(link(data, program.name, program.name), prints=prints)
        for program, data, (_, prints) in zip(programs, objects, emitted, strict=True)
    ]
    for program, linked in zip(programs, made, strict=True):
        if not _decided_later(program, linked):
            refuse_deep(linked, program.kind, private=lambda: target.types.function(PRIVATE_STACK))
    return made


def _decided_later(program: Program, linked: Linked) -> bool:
    """Whether a loader knows something by which the verifier may leave out a branch, with the memory that it uses."""
    fixed = any(
        isinstance(declared, Global) and declared.constant for _, declared in declarations(program)
    )
    return fixed or any(one.symbol.startswith(Wanted.TESTED.value) for one in linked.references)
