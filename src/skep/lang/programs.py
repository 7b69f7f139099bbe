"""Programs as values: a Python function, the kind of program it is to be, and what it is attached to.

The decorators make them. A program holds nothing live; ``compile`` turns it into a spec, a loader makes that live.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import FunctionType
from typing import TYPE_CHECKING, Any

from skep.base.lazy import lazy
from skep.lang.chains import Chain
from skep.lang.kinds import KINDS
from skep.lang.spec import SLEEPABLE, Hook, ProgramKind

if TYPE_CHECKING:
    from skep.lang.plain.kernel import FakeKernel

GPL = "GPL"
plain = lazy("skep.lang.plain.rebuild")
fakes, filling = lazy("skep.lang.plain.kernel"), lazy("skep.lang.declared.filling")

BY_ITSELF = frozenset(
    {
        *(Hook.RAW_TRACEPOINT, Hook.TRACEPOINT, Hook.PERF_EVENT, Hook.ITERATOR, Hook.KPROBE),
        *(Hook.KPROBE_MULTI, Hook.UPROBE, Hook.UPROBE_MULTI, Hook.USDT, Hook.SYSCALL),
    }
)
NEEDING = frozenset({"bpf_map_elem", "bpf_sk_storage_map", "sockmap", "cgroup"})
"""Iterators over what is in one object, which is named when they are attached."""
NAMED = frozenset({Hook.UPROBE, Hook.UPROBE_MULTI})


class Program:
    """A function that is to run in the kernel. Calling it is an error: ``py(...)`` runs it as plain Python.

    ``onto`` is the program that it stands in for, or watches; ``replaces`` the one function of that in whose place it
    runs.
    """

    def __init__(  # noqa: PLR0913 - all that a program is; its decorators make it
        self,
        function: Callable[..., Any],
        kind: ProgramKind,
        hook: str = "",
        *,
        license: str = GPL,  # noqa: A002 - the kernel's word
        options: tuple[tuple[str, int | str], ...] = (),
        onto: "Program | None" = None,
        chain: Chain | None = None,
        calls: tuple[str, ...] = (),
        replaces: Callable[..., Any] | None = None,
    ) -> None:
        if isinstance(function, str):
            said = f"say it where it is loaded: live.attach(program, {function!r})"
            raise TypeError(f"@{kind.name} takes no place to be attached to; {said}")
        if not isinstance(function, FunctionType):
            raise TypeError(f"@{kind.name} decorates a function, not {function!r}")
        self.function, self.kind, self.hook = function, kind, hook
        self.license, self.options, self.onto = license, options, onto
        self.chain, self.calls, self.replaces = chain, calls, replaces
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__

    @property
    def name(self) -> str:
        """The function's name; the kernel keeps the first 15 characters."""
        return self.function.__name__

    @property
    def by_itself(self) -> bool:
        """Whether it says itself where it goes, so that loading attaches it."""
        if self.kind.hook not in BY_ITSELF or self.hook in NEEDING:
            return False
        return bool(self.hook) or self.kind.hook not in NAMED

    def __call__(self, *_: Any) -> Any:
        """Refuse: a program is loaded, not called."""
        raise TypeError(
            f"{self.name} runs in the kernel: skep.load({self.name}); as plain Python: {self.name}.py(...)"
        )

    def py(
        self,
        *args: Any,
        kernel: "FakeKernel | None" = None,
        maps: Mapping[Any, Any] | None = None,
    ) -> int:
        """Run as plain Python, against ``kernel`` or one of its own; the program's result.

        ``maps`` is what maps hold before the run, as ``skep.run`` takes it. Arguments are Python objects with the
        attributes that the program reads; a packet is bytes, or a ``skep.Packet``. RuntimeError where a record that was
        reserved is kept, TypeError at a helper without a fake.
        """
        around = kernel or fakes.FakeKernel()
        for declared, content in (maps or {}).items():
            filling.fill(around[declared], declared, content)
        return int(plain.run(self.function, self.kind, args, around))

    def __repr__(self) -> str:
        return f"<{self.kind.name} program {self.name}{f' on {self.hook}' if self.hook else ''}>"


Decorator = Callable[[Callable[..., Any]], Program]

EXAMPLES = {
    "tp_btf": '"sched_process_exec"',
    "raw_tp": '"sched_process_exec"',
    "tracepoint": '"syscalls/sys_enter_openat"',
    "iterator": '"task"',
    "lsm": '"file_open"',
    **dict.fromkeys(("fentry", "fexit", "kprobe", "kretprobe"), '"tcp_connect"'),
    **dict.fromkeys(("kprobe_multi", "kretprobe_multi", "kprobe_session"), '"tcp_*"'),
    **dict.fromkeys(("uprobe", "uretprobe"), '"libc", "malloc"'),
    **dict.fromkeys(("uprobe_multi", "uretprobe_multi", "uprobe_session"), '"libc", "mem*"'),
    **dict.fromkeys(("ksyscall", "kretsyscall"), '"openat"'),
    "usdt": '"libc", "libc:setjmp"',
    "tc": '"ingress"',
    "cgroup": '"connect4"',
    "sk_skb": '"verdict"',
    "lwt": '"in"',
    "netfilter": '"input"',
}
"""What an error shows for a decorator that was given no name."""


def require_names(decorator: str, *given: object) -> None:
    """Raises TypeError where a decorator is given something else than names, such as the function itself."""
    if not all(isinstance(one, str) for one in given):
        example = EXAMPLES.get(decorator, '"name"')
        raise TypeError(f"@{decorator} takes the name of what it runs on: @{decorator}({example})")


Options = Mapping[str, int | str]


def on(
    kind: str, hook: str = "", *, sleepable: bool = False, options: Options | None = None
) -> Decorator:
    """A decorator for programs of a row of the table of kinds; ``sleepable`` ones may wait for memory."""
    require_names(kind, hook)
    row = KINDS[kind]
    if sleepable:
        row = replace(row, flags=row.flags | SLEEPABLE)

    def decorate(function: Callable[..., Any]) -> Program:
        return Program(function, row, hook, options=tuple(sorted((options or {}).items())))

    return decorate


def bare(kind: str, function: Callable[..., Any]) -> Program:
    """A program of a row whose decorator takes nothing."""
    return Program(function, KINDS[kind])


def noinline(function: Callable[..., Any]) -> Callable[..., Any]:
    """Keep a function a call of its own in the kernel, instead of leaving the choice to the compiler."""
    function.__skep_inline__ = False  # type: ignore[attr-defined]
    return function


def inline(function: Callable[..., Any]) -> Callable[..., Any]:
    """Put a function's body where it is called."""
    function.__skep_inline__ = True  # type: ignore[attr-defined]
    return function


def global_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let the verifier check a function once, by itself and for any arguments, instead of at each call.

    Its annotations say all that is known of what it is given and gives: numbers, ``Point``, ``Point | None`` where a
    Struct may be None, a ``kernel_struct`` likewise (Linux 6.9); the context has none. Linux 5.6, with Structs 5.13.
    """
    function.__skep_global__ = True  # type: ignore[attr-defined]
    return function
