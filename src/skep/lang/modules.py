"""Functions of the kernel's modules: ``"veth:veth_xmit"`` is one, named with its module, for others may be named so."""

KINDS = frozenset({"fentry", "fexit", "fmod_ret"})
"""Kinds of programs that run on functions of modules too, with types."""


def split(kind: str, hook: str) -> tuple[str, str]:
    """The module ("": the kernel itself) and the function that a program of that kind is for."""
    module, _, function = hook.rpartition(":") if kind in KINDS else ("", "", hook)
    return module, function
