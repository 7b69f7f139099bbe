"""Compiling: a program to its spec. Front end, checks, emitter, back end, linker, in that order; no kernel is asked.

``parsed`` is all but the back end, so that errors come before LLVM starts; ``compile_all`` starts one back end for any
number of programs. What comes out depends on the source, what it captures, and the target alone.
"""

from collections.abc import Sequence
from dataclasses import replace

from skep.lang.backend import Backend, IrModule
from skep.lang.capture import declarations
from skep.lang.check.flow import check
from skep.lang.check.loops import lowerings
from skep.lang.emit.program import emit as emit_ir
from skep.lang.emit.program import reachable
from skep.lang.front.build import Front
from skep.lang.front.scope import Target
from skep.lang.link import link
from skep.lang.linked import Linked
from skep.lang.programs import Program
from skep.lang.returns import returned
from skep.lang.spec import ProgramKind
from skep.lang.tree import Function


def tree(program: Program, target: Target) -> Function:
    """The checked typed tree of a program. Raises CompileError."""
    front = Front(target, program.kind, program.hook, program.calls)
    return front.program(program.function)


def ir(program: Program, target: Target) -> IrModule:
    """The program as the text of an LLVM module. Raises CompileError."""
    entry = tree(program, target)
    unset = check(entry, _kind(program, target))
    how = lowerings(reachable(entry), iterates=target.iterates)
    maps = [declared for _, declared in declarations(program)]
    return IrModule(program.name, emit_ir(entry, maps, unset, how, program.chain), target.cpu)


def _kind(program: Program, target: Target) -> ProgramKind:
    """The program's kind, with the results that its own hook takes."""
    kind = program.kind
    return replace(kind, returns=returned(kind, program.hook, target.types))


def compile_all(programs: Sequence[Program], target: Target) -> list[Linked]:
    """The linked code of programs, by one back end. Raises CompileError at the first that is wrong."""
    with Backend() as backend:  # it imports LLVM while the front end works
        objects = backend.emit([ir(program, target) for program in programs])
    return [
        link(data, program.name, program.name)
        for program, data in zip(programs, objects, strict=True)
    ]
