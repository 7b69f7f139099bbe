"""The context as a parameter: a struct of the kernel's, the fields of a format, or a Struct of the user's own."""

from skep.base.similar import similar
from skep.lang.front.head import Head
from skep.lang.spec import Context
from skep.lang.struct import StructType
from skep.lang.tree import ContextValue, Parameter
from skep.lang.values import KernelStruct, Memory, Pointer


def only(head: Head) -> tuple[Parameter, ...]:
    """The context, as the one parameter, or none. Raises CompileError where there are others."""
    if not head.names:
        return ()
    if len(head.names) != 1:
        problem = f"{head.kind.name} programs take one argument, the context"
        raise head.error(problem, f"def {head.function.__name__}(ctx):")
    return (context(head, head.names[0]),)


def context(head: Head, name: str) -> Parameter:
    """The context under a name of the user's."""
    pointer = Pointer(_struct(head), Memory.CONTEXT)
    return Parameter(name, pointer, ContextValue(head.span, pointer))


def _struct(head: Head) -> KernelStruct | StructType:
    if head.kind.context is Context.FORMAT:
        return _format(head)
    if head.kind.context is Context.OWN:
        return _own(head)
    iterates = head.kind.context is Context.ITERATOR
    struct = head.target.types.struct(f"bpf_iter__{head.hook}" if iterates else head.kind.struct)
    if struct is not None:
        return struct
    if iterates:
        raise head.error(f"this kernel iterates over no {head.hook!r}", _iterators(head))
    raise head.error(
        f"this kernel has no struct {head.kind.struct}: it lacks {head.kind.name} programs",
        f"they came with Linux {head.kind.since}",
    )


def _iterators(head: Head) -> str:
    known = sorted(head.target.types.iterators())
    near = similar(head.hook, known)
    return f"did you mean {near!r}?" if near else f"it has {', '.join(known)}"


def _format(head: Head) -> StructType:
    category, _, event = head.hook.partition("/")
    layout = head.target.formats(category, event)
    if layout is None:
        raise head.error(f"this kernel has no tracepoint {head.hook!r}", _events(head, event))
    return layout


def _events(head: Head, event: str) -> str:
    known = head.target.events()
    elsewhere = [one for one in known if one.endswith(f"/{event}")]
    near = elsewhere[0] if elsewhere else similar(head.hook, known)
    listed = "the names are those of the directories below events/ in tracefs"
    return f"did you mean {near!r}?" if near else listed


def _own(head: Head) -> StructType:
    struct = head.annotation(0)
    if not isinstance(struct, StructType):
        problem = f"the context of a {head.kind.name} program is a Struct of your own"
        name = head.function.__name__
        raise head.error(problem, f"annotate it, def {name}(ctx: Request), or leave it out")
    return struct
