"""The running kernel as a target of the compiler: its types, its instruction set, its tracepoints.

What it finds out by asking the kernel is kept for the life of the object, its types for that of the process.
"""

from collections import Counter
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from skep.base.config import environment
from skep.base.lazy import lazy
from skep.btf.reader import Btf
from skep.kernel.tracefs import Tracefs
from skep.kernel.vmlinux import build_id, cpu_level, module, vmlinux
from skep.lang.private import CacheRefusal
from skep.lang.struct import StructType

if TYPE_CHECKING:
    from skep.lang.front.scope import Target
    from skep.lang.kernel_types import KernelTypes

front = lazy("skep.lang.front.scope")
kernel_types = lazy("skep.lang.kernel_types")
modules = lazy("skep.kernel.modules")
probing = lazy("skep.kernel.probing")


class Machine:
    """The kernel that runs here. ``cache`` is the directory of compiled objects and of the index of its types."""

    def __init__(self, cache: str | None = None) -> None:
        self.cache = environment().cache if cache is None else cache
        self.refusals = Counter[CacheRefusal]()
        self._modules: dict[tuple[str, str], KernelTypes] = {}

    @cached_property
    def btf(self) -> Btf:
        """Its types, which all Machines of a process share. Unsupported where it has none."""
        return _types(self.cache)

    @cached_property
    def cpu(self) -> str:
        """The instruction set to compile for."""
        return cpu_level()

    @cached_property
    def identity(self) -> str:
        """What tells this kernel from others: its build id."""
        return build_id()

    def formats(self, category: str, name: str) -> StructType | None:
        """The fields of a tracepoint; None where there is none."""
        with Tracefs.open() as tracefs:
            return tracefs.formats(category, name)

    def events(self) -> list[str]:
        """The names ``category/name`` of its tracepoints."""
        with Tracefs.open() as tracefs:
            return tracefs.events()

    @cached_property
    def target(self) -> "Target":
        """What the compiler compiles for."""
        types = kernel_types.KernelTypes(self.btf, modules=self.module)
        made: Target = front.Target(
            types,
            self.cpu,
            self.formats,
            usdt=probing.static_ways,
            events=self.events,
            modules=self.module,
            holders=self.holders,
        )
        return made

    def module(self, name: str) -> "KernelTypes | None":
        """The types of a loaded module; None where it is not loaded."""
        build = (name, self.module_identity(name))
        found = None if build in self._modules else module(name, self.btf)
        if found is not None:
            self._modules[build] = kernel_types.KernelTypes(found, name, self.module)
        return self._modules.get(build)

    def holders(self, function: str) -> list[str]:
        """The loaded modules that have a function of that name."""
        found: list[str] = modules.holding(function, self.btf)
        return found

    def module_identity(self, name: str) -> str:
        """What tells a build of a module from others; "" where it is not loaded."""
        digest: str = modules.digest(name)
        return digest


@lru_cache(maxsize=2)
def _types(cache: str) -> Btf:
    """Read once: before Linux 6.16 the kernel gives them by 4 KiB, that is by two thousand system calls."""
    return vmlinux(cache or None)
