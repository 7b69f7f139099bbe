"""Functions of the kernel that have another name since some release: a program for each, and this kernel's."""

from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any

from skep.btf.types import Kind
from skep.kernel.vmlinux import vmlinux
from skep.lang.programs import Decorator, Program

UNLINK = (("do_unlinkat",), ("filename_unlinkat",))
"""What removes a file, of a folder's number and a struct filename: on older kernels, and on newer ones (7.3)."""
REMOVALS = (("do_unlinkat", "do_rmdir"), ("filename_unlinkat", "filename_rmdir"))


class Renamed:
    """One function as programs for several names of what it is attached to."""

    def __init__(self, programs: dict[str, Program]) -> None:
        self.programs = programs

    @property
    def here(self) -> Program:
        """The one whose function this kernel has; the first where it has none."""
        found = (name for name in self.programs if vmlinux().find(Kind.FUNC, name) is not None)
        return self.programs[next(found, next(iter(self.programs)))]


def each(
    decorate: Callable[..., Decorator], names: Iterable[tuple[str, ...]], **options: bool | int
) -> Callable[[Callable[..., Any]], Renamed]:
    """A decorator that makes a program for each of ``names``."""
    return lambda function: Renamed({one[0]: decorate(*one, **options)(function) for one in names})


def all_of(module: ModuleType) -> Iterator[Program]:
    """The programs of all names in a module, to be compiled."""
    for value in vars(module).values():
        if isinstance(value, Renamed):
            yield from value.programs.values()
