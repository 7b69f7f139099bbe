"""Variables of the kernel that a program names: those of each CPU, with their types, and the addresses of any others.

``RUNQUEUES = kernel_variable("runqueues")`` (of a module: ``"kvm:kvm_running_vcpu"``) and ``FOPS =
kernel_address("bpf_map_fops")`` stand outside a program. In it, ``this_cpu_ptr(RUNQUEUES).nr_running`` reads a variable
of this CPU, and ``FOPS`` is a number of the kernel that the program is loaded into.
"""

from enum import Enum

from skep.base.frozen import frozen


@frozen
class KernelVariable:
    """A variable of each CPU, by name; its type is that of the kernel compiled for. ``module``: "" for the kernel's."""

    name: str
    module: str = ""

    @property
    def __name__(self) -> str:
        return f"kernel_variable({self.symbol!r})"

    @property
    def symbol(self) -> str:
        """The name with that of the module, as a loader looks for it."""
        return f"{self.module}:{self.name}" if self.module else self.name


@frozen
class KernelAddress:
    """The address of a variable or function, by name; it is found when a program is loaded."""

    name: str

    @property
    def __name__(self) -> str:
        return f"kernel_address({self.name!r})"


class Wanted(Enum):
    """What is wanted of a name; the value begins the symbol that stands for it in an object."""

    VARIABLE = "variable."
    """The variable itself, by its number among the kernel's types."""
    ADDRESS = "address."
    """Its address, which must be there."""
    TESTED = "tested."
    """Its address, or 0, for ``is None``; then it may be absent from the whole program."""


def kernel_variable(name: str) -> KernelVariable:
    """A variable of each CPU, ``kernel_variable("runqueues")``, for ``this_cpu_ptr`` and ``per_cpu_ptr``.

    One of a module is named with it, ``"kvm:kvm_running_vcpu"``; where that is built into the kernel, it is the
    kernel's own.
    """
    module, _, own = name.rpartition(":")
    return KernelVariable(own, module)


def kernel_address(name: str) -> int:
    """The address of what has that name in ``/proc/kallsyms``: a number in a program, 0 and None where there is none.

    A program that does not test it is not loaded where there is none.
    """
    return KernelAddress(name)  # type: ignore[return-value]  # a number, as programs see it
