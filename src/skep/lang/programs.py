"""Programs as values: a Python function, the kind of program it is to be, and what it is attached to.

The decorators make them. A program holds nothing live; ``compile`` turns it into a spec, a loader makes that live.
"""

from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any, overload

from skep.base.lazy import lazy
from skep.lang.chains import XDP_PASS, Chain
from skep.lang.kinds import KINDS
from skep.lang.spec import ProgramKind

if TYPE_CHECKING:
    from skep.lang.plain.kernel import FakeKernel

GPL = "GPL"
plain = lazy("skep.lang.plain.rebuild")


class Program:
    """A function that is to run in the kernel. Calling it is an error: ``py(...)`` runs it as plain Python."""

    def __init__(
        self,
        function: Callable[..., Any],
        kind: ProgramKind,
        hook: str = "",
        *,
        license: str = GPL,  # noqa: A002 - the kernel's word
        options: tuple[tuple[str, int | str], ...] = (),
        chain: Chain | None = None,
        calls: tuple[str, ...] = (),
    ) -> None:
        if not isinstance(function, FunctionType):
            raise TypeError(f"@{kind.name} decorates a function, not {function!r}")
        self.function, self.kind, self.hook = function, kind, hook
        self.license, self.options = license, options
        self.chain, self.calls = chain, calls
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__

    @property
    def name(self) -> str:
        """The function's name; the kernel keeps the first 15 characters."""
        return self.function.__name__

    def __call__(self, *_: Any) -> Any:
        """Refuse: a program is loaded, not called."""
        raise TypeError(
            f"{self.name} runs in the kernel: skep.load({self.name}); as plain Python: {self.name}.py(...)"
        )

    def py(self, *args: Any, kernel: "FakeKernel | None" = None) -> int:
        """Run as plain Python, against ``kernel`` or one of its own; the program's result.

        Arguments are Python objects with the attributes that the program reads; a packet is bytes, or a
        ``skep.Packet``. RuntimeError where a record that was reserved is kept, TypeError at a helper without a fake.
        """
        return int(plain.run(self.function, self.kind, args, kernel))

    def __repr__(self) -> str:
        return f"<{self.kind.name} program {self.name}{f' on {self.hook}' if self.hook else ''}>"


Decorator = Callable[[Callable[..., Any]], Program]

NAMED = {
    "tp_btf": "sched_process_exec",
    "raw_tp": "sched_process_exec",
    "tracepoint": "syscalls/sys_enter_openat",
    "iterator": "task",
}
"""What an error shows for a decorator that was given no name."""


def _on(kind: str, hook: str, **options: int | str) -> Decorator:
    if not isinstance(hook, str):
        raise TypeError(
            f'@{kind} takes the name of what it runs on: @{kind}("{NAMED.get(kind, "name")}")'
        )

    def decorate(function: Callable[..., Any]) -> Program:
        return Program(function, KINDS[kind], hook, options=tuple(sorted(options.items())))

    return decorate


def tp_btf(name: str) -> Decorator:
    """On a tracepoint, with its arguments typed and trusted: ``@tp_btf("sched_process_exec")``. Linux 5.5."""
    return _on("tp_btf", name)


def raw_tp(name: str) -> Decorator:
    """On a tracepoint, with its arguments typed; pointers are read by probe. Linux 4.17."""
    return _on("raw_tp", name)


def tracepoint(name: str) -> Decorator:
    """On a tracepoint by category and name, ``@tracepoint("syscalls/sys_enter_openat")``: its format's fields."""
    if isinstance(name, str) and name.count("/") != 1:
        raise ValueError(
            f'a tracepoint is named "category/name", as "syscalls/sys_enter_openat", not {name!r}'
        )
    return _on("tracepoint", name)


def perf_event(event: str = "cpu-clock", *, frequency: int = 0, period: int = 0) -> Decorator:
    """On a software event: ``frequency`` samples a second on each CPU, or one each ``period`` events (clocks: ns)."""
    if (frequency > 0) == (period > 0):
        raise ValueError(
            "a perf_event program takes frequency= (Hz) or period= (events), one of the two"
        )
    return _on("perf_event", "", event=event, frequency=frequency, period=period)


def iterator(name: str) -> Decorator:
    """Over the kernel's objects, ``@iterator("task")``: called once for each, and once at the end with None."""
    return _on("iterator", name)


@overload
def xdp(function: Callable[..., Any], /) -> Program: ...
@overload
def xdp(*, order: int) -> Decorator: ...
def xdp(
    function: Callable[..., Any] | None = None, /, *, order: int | None = None
) -> Program | Decorator:
    """On packets as they arrive at a device, before the network stack. Returns an XDP verdict; PASS by default.

    ``@xdp`` has the device to itself. ``@xdp(order=10)`` shares it with others: the lowest order runs first, and the
    first verdict other than PASS ends the packet's way.
    """
    if function is not None:
        return Program(function, KINDS["xdp"])
    if not isinstance(order, int):
        raise TypeError(
            "write @xdp without brackets, or @xdp(order=10), the place among the programs of a device"
        )

    def decorate(function: Callable[..., Any]) -> Program:
        return Program(function, KINDS["xdp"], options=(("order", order),), chain=Chain(XDP_PASS))

    return decorate


def tc(direction: str) -> Decorator:
    """On packets at a device, ``"ingress"`` or ``"egress"``: tcx where the kernel has it (6.6), clsact before."""
    if direction not in ("ingress", "egress"):
        raise ValueError(f'a tc program is for "ingress" or "egress", not {direction!r}')
    return _on(f"tcx_{direction}", "")


def cgroup(hook: str) -> Decorator:
    """On what a cgroup's processes do: ``"connect4"``, ``"connect6"``, ``"skb_ingress"``, ``"skb_egress"``."""
    name = f"cgroup_{hook}"
    if name not in KINDS:
        known = ", ".join(k.removeprefix("cgroup_") for k in KINDS if k.startswith("cgroup_"))
        raise ValueError(f"there is no cgroup hook {hook!r}; there are {known}")
    return _on(name, "")


def noinline(function: Callable[..., Any]) -> Callable[..., Any]:
    """Keep a function a call of its own in the kernel, instead of leaving the choice to the compiler."""
    function.__skep_inline__ = False  # type: ignore[attr-defined]
    return function


def inline(function: Callable[..., Any]) -> Callable[..., Any]:
    """Put a function's body where it is called."""
    function.__skep_inline__ = True  # type: ignore[attr-defined]
    return function
