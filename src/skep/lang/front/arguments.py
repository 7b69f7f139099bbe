"""Parameters that are arguments of the kernel's own: of tracepoints, functions, hooks, and members of its tables.

Each fills a word of the context, a struct by value several.
"""

from skep.base.similar import similar
from skep.btf.types import Kind
from skep.lang.front.head import RESULT, Head, absent, argument, c_name, slot
from skep.lang.kernel_types import KernelTypes, Signature
from skep.lang.modules import split
from skep.lang.spec import Context, Hook, ProgramKind
from skep.lang.tree import Parameter
from skep.lang.types import s32
from skep.lang.values import Memory, Pointer, Type

ENDS = frozenset({"fexit", "fmod_ret", "lsm"})


def arguments(head: Head) -> tuple[Parameter, ...]:
    """One slot of the context for each argument; the result, where there is one, behind the last."""
    signature = _signature(head)
    names = list(head.names)
    has_result = head.kind.name in ENDS and names[-1:] == [RESULT]
    if has_result:
        names.pop()
    missing = names[len(signature.arguments) :]
    if not head.optional.issuperset(missing):
        listed = ", ".join(c_name(kind) for kind in signature.arguments)
        count = len(signature.arguments)
        hint = f"they are: {listed}" if listed else "write a function without parameters"
        if head.kind.name in ENDS:
            hint += f"; a last parameter {RESULT!r} is what the function gives"
        raise head.error(f"{head.hook} gives {count} arguments, not {len(names)}", hint)
    trusted = head.kind.context is Context.BTF_ARGS
    found = [
        slot(head, name, _argument(head, index, argument(stored, trusted=trusted)), at)
        for index, (name, stored, at) in enumerate(
            zip(names, signature.arguments, signature.slots, strict=False)
        )
    ]
    found += map(absent, missing)
    if found and head.kind.changes:
        found[0] = _changing(head, found[0])
    if has_result:
        found.append(slot(head, RESULT, _result(head, signature, trusted), signature.end))
    return tuple(found)


def _argument(head: Head, index: int, known: Type) -> Type:
    """The type of an argument: where it is annotated with another struct than the kernel tells, that, read by probe."""
    memory = Memory.USER if getattr(known, "memory", None) is Memory.USER else Memory.PROBE
    told = head.pointed(index, memory)
    same = told is None or (isinstance(known, Pointer) and known.target == told.target)
    return known if same else told


OBJECTS = {
    "xdp_md": "xdp_buff",
    "__sk_buff": "sk_buff",
    "bpf_sock": "sock",
    "bpf_sock_addr": "bpf_sock_addr_kern",
    "bpf_sock_ops": "bpf_sock_ops_kern",
    "bpf_sockopt": "bpf_sockopt_kern",
    "bpf_sysctl": "bpf_sysctl_kern",
    "bpf_sk_lookup": "bpf_sk_lookup_kern",
    "sk_msg_md": "sk_msg",
    "sk_reuseport_md": "sk_reuseport_kern",
}
"""What the kernel hands to programs, by the struct as which their verifier shows it."""


def watched(head: Head) -> tuple[Parameter, ...]:
    """What another program is given, and, where its end is watched, as a last parameter ``result`` its verdict."""
    names = list(head.names)
    found = []
    if head.kind.name in ENDS and names[-1:] == [RESULT]:
        names.pop()
        found = [_slot_of_result(head)]
    if len(names) > 1:
        raise head.error(f"a program is given one argument, not {len(names)}")
    name = OBJECTS.get(head.kind.struct)
    struct = head.target.types.struct(name) if name else None
    if struct is None:
        problem = f"what {head.kind.struct or 'such'} programs are given has no type here"
        raise head.error(problem, "watch an XDP, tc, cgroup or socket program")
    pointer = Pointer(struct, Memory.KERNEL)
    return (*(slot(head, name, pointer, 0) for name in names), *found)


def _slot_of_result(head: Head) -> Parameter:
    return slot(head, RESULT, s32, 1)


def _signature(head: Head) -> Signature:
    if head.kind.hook is Hook.STRUCT_OPS:
        return _member(head)
    return _tracepoint(head) if _is_tracepoint(head.kind) else _function(head)


def _member(head: Head) -> Signature:
    """A function of a table; the table's own objects are what the verifier takes them for."""
    ops, _, name = head.hook.partition(".")
    functions = head.target.types.functions(ops)
    if name in functions:
        return functions[name].seen_as(head.target.types.promoted(ops))
    near = similar(name, functions)
    hint = f"did you mean {near!r}?" if near else f"it has {', '.join(functions)}"
    what = f"function table {ops!r} to fill" if not functions else f"function {name!r} in {ops}"
    raise head.error(f"this kernel has no {what}", hint if functions else "")


def _is_tracepoint(kind: ProgramKind) -> bool:
    return kind.context is Context.RAW_ARGS or kind.attach_prefix == "btf_trace_"


def _tracepoint(head: Head) -> Signature:
    kinds = head.target.types.arguments(f"btf_trace_{head.hook}")
    if kinds is None:
        near = similar(head.hook, head.target.types.tracepoints())
        hint = f"did you mean {near!r}?" if near else ""
        raise head.error(f"this kernel has no tracepoint {head.hook!r} with types", hint)
    return Signature.plain(kinds)


def _function(head: Head) -> Signature:
    prefix = head.kind.attach_prefix
    module, name = split(head.kind.name, head.hook)
    types = head.target.modules(module) if module else head.target.types
    if types is None:
        problem = f"the module {module!r} is not loaded, so nothing is known of its functions"
        raise head.error(problem, f"modprobe {module}")
    found = types.own_signature(name) if module else types.signature(prefix + name)
    if found is None:
        raise head.error(*_unknown(head, types, module, name))
    return found


def _unknown(head: Head, types: KernelTypes, module: str, name: str) -> tuple[str, str]:
    """The error where there is no such function, with the nearest."""
    prefix = head.kind.attach_prefix
    names = types.btf.own_names(Kind.FUNC)
    near = similar(name, (n.removeprefix(prefix) for n in names if n.startswith(prefix)))
    what = "LSM hook" if prefix else "function"
    where = f"the module {module!r}" if module else "this kernel"
    holders = [] if prefix or module else head.target.holders(name)
    hint = f"did you mean {near!r}?" if near else ""
    if holders:
        having = f"s {', '.join(holders)} have" if len(holders) > 1 else f" {holders[0]} has"
        hint = f"the module{having} it: write '{holders[0]}:{name}'"
    return f"{where} has no {what} {name!r} with types", hint


def _result(head: Head, signature: Signature, trusted: bool) -> Type:  # noqa: FBT001 - as argument() has it
    if signature.result is None:
        raise head.error(f"{head.hook} gives no result", f"leave {RESULT!r} out")
    return argument(signature.result, trusted=trusted)


def _changing(head: Head, first: Parameter) -> Parameter:
    """The first argument of a writable tracepoint is memory that the program may change."""
    if not isinstance(first.type, Pointer) or first.type.target is None:
        raise head.error(f"{head.hook} has nothing that a program may change", "use raw_tp")
    return slot(head, first.name, Pointer(first.type.target, Memory.VALUE), 0)
