"""The kernel's helpers: a helper is one row of ``helper_rows``, named as in the kernel without ``bpf_``.

Arguments are in C's order. Where a buffer is followed by its size, a program may leave the size out: it is then that of
the buffer. A helper is a value of the language; in plain Python a run binds fakes in its place (``skep.testing``).
``availability`` tells which kinds of programs may call one.
"""

from enum import Enum
from typing import Any

from skep.base.frozen import frozen
from skep.lang.helper_rows import ROWS, SETS
from skep.lang.types import IntType, s32, s64, u32, u64


class Arg(Enum):
    """What a helper takes in one argument."""

    CONTEXT = "the program's context"
    INT = "an integer"
    NETWORK = "an integer of 16 bits, which the kernel has in network order"
    MAP = "a map"
    OUT = "memory that is written"
    IN = "memory that is read"
    SIZE = "the size of the memory before it, in bytes"
    ADDRESS = "an address that is only followed safely"
    KERNEL = "a kernel object"
    VARIABLE = "a variable of the kernel"
    FUNCTION = "a function of the program's"


@frozen
class KernelResult:
    """A helper's result that points to a kernel struct; ``probe``: not to be dereferenced directly."""

    struct: str
    nullable: bool = False
    probe: bool = False


@frozen
class Helper:
    """A row: name, number, arguments, result, the release it came in, what it does, and where it works.

    ``families`` are those of the kinds of programs that may call it (``ProgramKind.family``), or of one at one of its
    hooks (``iterator:tcp``); with ``others`` true, of those that may not. It ``sleeps`` where it waits for memory: only
    sleepable programs call it. ``partial``: it may leave bytes of the memory that it writes as they were. ``writes``:
    the bytes of a number that it gives in memory.
    """

    name: str
    number: int
    args: tuple[Arg, ...]
    result: IntType | KernelResult
    since: str
    doc: str
    families: frozenset[str] = frozenset()
    others: bool = True
    sleeps: bool = False
    partial: bool = False
    writes: int = 0

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(self, *_: Any) -> Any:
        """Refuse: a helper exists in the kernel only."""
        raise TypeError(
            f"{self.name}() runs in the kernel; in plain Python, call the program by .py(...)"
        )


LETTERS = {
    "C": Arg.CONTEXT,
    "I": Arg.INT,
    "N": Arg.NETWORK,
    "M": Arg.MAP,
    "O": Arg.OUT,
    "R": Arg.IN,
    "S": Arg.SIZE,
    "A": Arg.ADDRESS,
    "K": Arg.KERNEL,
    "V": Arg.VARIABLE,
    "F": Arg.FUNCTION,
}
_NUMBERS = {"u32": u32, "u64": u64, "s32": s32, "s64": s64}
_SLEEPING = frozenset({"copy_from_user", "copy_from_user_task", "ima_inode_hash", "ima_file_hash"})
_PARTIAL = frozenset(
    {
        *("probe_read_user_str", "probe_read_kernel_str"),
        *("get_task_stack", "get_branch_snapshot", "read_branch_records"),
        *("d_path", "ima_inode_hash", "ima_file_hash", "getsockopt", "load_hdr_opt"),
        *("skb_get_tunnel_opt", "skb_get_xfrm_state", "fib_lookup", "strtol", "strtoul"),
        *("sysctl_get_name", "sysctl_get_current_value", "sysctl_get_new_value"),
        *("snprintf", "snprintf_btf", "dynptr_read"),
        *("sys_bpf", "kallsyms_lookup_name", "check_mtu", "get_func_arg", "get_func_ret"),
    }
)


_WRITES = {
    **dict.fromkeys(("strtol", "strtoul", "kallsyms_lookup_name"), 8),
    **dict.fromkeys(("get_func_arg", "get_func_ret"), 8),
    "check_mtu": 4,
}


def _result(text: str) -> IntType | KernelResult:
    if text in _NUMBERS:
        return _NUMBERS[text]
    return KernelResult(text.lstrip("?~"), nullable=text[0] == "?", probe=text[0] == "~")


def _families(words: list[str]) -> frozenset[str]:
    return frozenset(family for word in words for family in SETS.get(word, (word,)))


def _rows(text: str) -> dict[str, Helper]:
    found: dict[str, Helper] = {}
    families, others = frozenset[str](), True
    for line in filter(None, text.splitlines()):
        if line.startswith("@"):
            words = line[1:].split()
            others = words[0] in ("not", "everywhere")
            families = _families(words[1:] if others else words)
            continue
        name, number, letters, result, since, doc = line.split(None, 5)
        args = tuple(LETTERS[letter] for letter in letters.strip("-"))
        found[name] = Helper(
            *(name, int(number), args, _result(result), since, doc),
            families=families,
            others=others,
            sleeps=name in _SLEEPING,
            partial=name in _PARTIAL,
            writes=_WRITES.get(name, 0),
        )
    return found


HELPERS: dict[str, Helper] = _rows(ROWS)
