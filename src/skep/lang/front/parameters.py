"""A program's parameters: what the kernel hands to it, and where that lies in its context.

One rule for each ``Context``. Types come from the target kernel; nothing is asked of a running one.
"""

from collections.abc import Callable

from skep.lang.front.arguments import arguments, watched
from skep.lang.front.context_struct import only
from skep.lang.front.head import Head
from skep.lang.front.registers import registers, static, syscall
from skep.lang.spec import Context
from skep.lang.tree import Parameter


def program_parameters(head: Head) -> tuple[Parameter, ...]:
    """The parameters of a program. Raises CompileError where the kernel gives others."""
    return RULES[head.kind.context](head)


RULES: dict[Context, Callable[[Head], tuple[Parameter, ...]]] = {
    Context.BTF_ARGS: arguments,
    Context.RAW_ARGS: arguments,
    Context.PROGRAM: watched,
    Context.REGISTERS: registers,
    Context.SYSCALL: syscall,
    Context.USDT: static,
    Context.STRUCT: only,
    Context.FORMAT: only,
    Context.ITERATOR: only,
    Context.OWN: only,
}

VARYING = frozenset({Context.BTF_ARGS, Context.RAW_ARGS, Context.REGISTERS})
"""Where a kernel may give fewer arguments than another does: those of its own functions and events."""
