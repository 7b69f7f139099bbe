"""What a program names of the kernel that it is compiled for, beyond its arguments: structs and enumerations.

``SOCKET = kernel_struct("socket")`` and ``REASON = kernel_enum("skb_drop_reason")`` stand outside a program. In it,
``SOCKET(file.private_data).sk`` sees an address as that struct, and ``REASON.SKB_DROP_REASON_NO_SOCKET`` is a number of
that kernel.
"""

from typing import Any

from skep.base.frozen import frozen


@frozen
class KernelView:
    """A struct or union by name. What is reached through one is read by probe: a wrong address reads as zero."""

    name: str

    @property
    def __name__(self) -> str:
        return f"kernel_struct({self.name!r})"

    def __call__(self, address: Any) -> Any:
        """The object itself, in plain Python."""
        return address

    def __or__(self, other: None) -> "KernelViewOrNone":
        """``TASK | None``, as the annotation of a parameter."""
        return KernelViewOrNone(self)


@frozen
class KernelViewOrNone:
    """Of a parameter: such a struct, or None."""

    view: KernelView


class KernelEnum:
    """An enumeration by name, whose numbers may differ between kernels; ``plain`` are those in plain Python.

    Without a name it is all that have none.
    """

    def __init__(self, name: str, plain: dict[str, int]) -> None:
        self.name, self.plain = name, plain

    @property
    def __name__(self) -> str:
        return f"kernel_enum({self._written})"

    @property
    def _written(self) -> str:
        return repr(self.name) if self.name else ""

    def __getattr__(self, name: str) -> int:
        if name in self.plain:
            return self.plain[name]
        given = ", ".join(filter(None, (self._written, f"{name}=...")))
        of = f" of enum {self.name}" if self.name else ""
        raise AttributeError(
            f"{name}{of} is a number of a kernel; for plain Python, give one: kernel_enum({given})"
        )


@frozen
class KernelFunction:
    """A function that the kernel offers to programs, by name; its types are those of the kernel compiled for.

    ``module`` is the one that has it, "" where it is the kernel's own.
    """

    name: str
    module: str = ""

    @property
    def __name__(self) -> str:
        return self.name

    @property
    def symbol(self) -> str:
        """The name with that of the module, as a loader looks for it."""
        return f"{self.module}:{self.name}" if self.module else self.name

    def __call__(self, *_: Any) -> Any:
        """Refuse: it exists in the kernel only."""
        raise TypeError(
            f"{self.name}() runs in the kernel; in plain Python a FakeKernel has its fake"
        )


@frozen
class KernelIterator:
    """What the kernel lets a program go over, by name: three functions, ``bpf_iter_NAME_new``, ``_next``, ``_destroy``.

    ``module`` is the one that has them, "" where they are the kernel's own.
    """

    name: str
    module: str = ""

    @property
    def __name__(self) -> str:
        return f"kernel_iterator({self.symbol!r})"

    @property
    def symbol(self) -> str:
        """The name with that of the module."""
        return f"{self.module}:{self.name}" if self.module else self.name

    def function(self, action: str) -> KernelFunction:
        """One of the three."""
        return KernelFunction(f"bpf_iter_{self.name}_{action}", self.module)

    def __call__(self, *_: Any) -> Any:
        """Refuse: it exists in the kernel only."""
        raise TypeError(
            f"{self.name} is gone over in the kernel; in plain Python a FakeKernel has its fake"
        )


def kernel_iterator(name: str) -> KernelIterator:
    """What a program goes over by ``for``, ``kernel_iterator("task")``: ``for task in TASKS(None, 0)``. Linux 6.4."""
    _require_name("kernel_iterator", name)
    module, _, own = name.rpartition(":")
    return KernelIterator(own, module)


EXAMPLES = {
    "kernel_iterator": "task",
    "kfunc": "bpf_task_from_pid",
    "kernel_struct": "file",
    "kernel_enum": "pid_type",
}
"""What an error shows for a name that was not given."""


def _require_name(what: str, name: object) -> None:
    if not isinstance(name, str):
        raise TypeError(f'{what}(...) takes a name, as in {what}("{EXAMPLES[what]}"), not {name!r}')


def kfunc(name: str) -> KernelFunction:
    """A kernel function ("kfunc"), ``kfunc("bpf_task_from_pid")``; which there are depends on the kernel.

    One of a module is named with it, ``kfunc("nf_conntrack:bpf_ct_release")`` (5.18); where that is built into the
    kernel, the kernel's own is called.
    """
    _require_name("kfunc", name)
    module, _, own = name.rpartition(":")
    return KernelFunction(own, module)


def kernel_struct(name: str) -> KernelView:
    """``struct name`` (or ``union name``)."""
    _require_name("kernel_struct", name)
    return KernelView(name)


def kernel_enum(name: str = "", /, **plain: int) -> KernelEnum:
    """``enum name``; without a name, all that have none; ``plain`` gives numbers to runs as plain Python."""
    _require_name("kernel_enum", name)
    return KernelEnum(name, plain)
