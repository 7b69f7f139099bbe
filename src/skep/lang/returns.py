"""Which results the kernel takes of a program: those of its kind, or of the very hook that it is on."""

from skep.lang.kernel_types import KernelTypes
from skep.lang.spec import ProgramKind

ONLY_ONE, TRUTH = (1, 1), (0, 1)


def returned(kind: ProgramKind, hook: str, types: KernelTypes) -> tuple[int, int] | None:
    """The inclusive range, None where any value goes. LSM hooks that give a truth value, or nothing, take others."""
    if kind.name not in ("lsm", "lsm_cgroup"):
        return kind.returns
    gives = types.result_name(kind.attach_prefix + hook)
    if gives == "void":
        return ONLY_ONE if kind.name == "lsm_cgroup" else None
    return TRUTH if gives in ("_Bool", "bool") else kind.returns
