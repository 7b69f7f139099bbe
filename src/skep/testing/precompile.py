"""Compiling programs for a kernel that is not running: into a cache that a machine with that kernel then loads from.

A target is a folder with ``btf``, ``build-id``, ``cpu``, tracefs's ``events/``, and the types of modules in
``modules/``. Programs are found as module-level names; a module lists those that stand elsewhere (made in a function,
in a script) under ``PROGRAMS``: programs, or paths of Python files that define some. Nothing is loaded.
"""

import importlib
import os
import pkgutil
import runpy
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field
from functools import cached_property
from types import ModuleType
from typing import Any

import skep
from skep.agent.rings import RECORDS
from skep.base.errors import SkepError
from skep.base.frozen import frozen
from skep.base.lazy import lazy
from skep.btf.reader import Btf
from skep.kernel import modules, vmlinux
from skep.kernel.probing import static_ways
from skep.kernel.tracefs import Tracefs
from skep.lang.cache import Cache
from skep.lang.front.scope import Target
from skep.lang.kernel_types import KernelTypes
from skep.lang.private import CacheRefusal
from skep.lang.programs import Program
from skep.lang.syscalls import CLASSIC, raw_form
from skep.program.objects import compiled, compiler_identity, key
from skep.program.scattering import opened

compiler = lazy("skep.lang.compile")
LISTED = "PROGRAMS"
TOGETHER = 100
"""Programs that one back end is given, whose time of a processor is limited."""


class SavedKernel:
    """A kernel as the compiler sees it, read from the folder of a target; ``cache`` is where objects are kept."""

    def __init__(self, folder: str, cache: str) -> None:
        self.folder, self.cache = folder, cache
        self.refusals = Counter[CacheRefusal]()
        self._modules: dict[str, KernelTypes] = {}

    def _read(self, name: str) -> bytes:
        with open(f"{self.folder}/{name}", "rb") as file:
            return file.read()

    @cached_property
    def identity(self) -> str:
        """Its build id."""
        return self._read("build-id").decode().strip()

    @cached_property
    def cpu(self) -> str:
        """Its instruction set."""
        return self._read("cpu").decode().strip()

    @cached_property
    def types(self) -> KernelTypes:
        """Its types."""
        return KernelTypes(Btf(self._read("btf")), modules=self.module)

    @cached_property
    def target(self) -> Target:
        """The compiler's target."""
        tracefs = Tracefs(self.folder)
        return Target(
            self.types,
            self.cpu,
            tracefs.formats,
            usdt=static_ways,
            events=tracefs.events,
            modules=self.module,
            holders=self.holders,
        )

    def module(self, name: str) -> KernelTypes | None:
        """The types of a module; None where the target has none of that name."""
        directory = f"{self.folder}/modules"
        found = None
        if name not in self._modules:
            found = vmlinux.module(name, self.types.btf, directory=directory)
        if found is not None:
            self._modules[name] = KernelTypes(found, name, self.module)
        return self._modules.get(name)

    def holders(self, function: str) -> list[str]:
        """The modules of the target that have a function of that name."""
        return modules.holding(function, self.types.btf, directory=f"{self.folder}/modules")

    def module_identity(self, name: str) -> str:
        """What tells its build from others."""
        return modules.digest(name, directory=f"{self.folder}/modules")


def shipped() -> Iterator[ModuleType]:
    """The modules of the kernel halves of skep's own powers, and of the dispatcher of hooks."""
    powers = [power.name for power in pkgutil.iter_modules(skep.__path__, "skep.")]
    for power in (*powers, "skep.kernel.dispatch"):
        folder = os.path.join(*skep.__path__, *power.split(".")[1:], "programs")
        for module in pkgutil.iter_modules([folder], f"{power}.programs."):
            yield importlib.import_module(module.name)


def programs(modules: Iterable[ModuleType]) -> list[Program]:
    """The programs of ``modules``, each once, in order."""
    found: dict[int, Program] = {}
    for module in modules:
        for program in _of(vars(module)):
            found.setdefault(id(program), program)
    return list(found.values())


def _of(names: dict[str, Any]) -> Iterator[Program]:
    for value in names.values():
        if isinstance(value, Program):
            yield from _forms(value)
    for listed in names.get(LISTED, ()):
        if isinstance(listed, Program):
            yield from _forms(listed)
        elif str(listed).endswith(".py"):
            yield from _of(runpy.run_path(os.fspath(listed), run_name="skep.precompiled"))


def _forms(program: Program) -> Iterator[Program]:
    """A program in the forms in which it may be loaded."""
    yield program
    if program.kind is CLASSIC:
        yield raw_form(program)


@frozen
class Made:
    """What became of programs; ``refused`` has the errors by program, such as for a hook that the kernel lacks."""

    refused: dict[str, SkepError] = field(default_factory=dict)


def compile_for(wanted: Sequence[Program], folder: str, cache: str) -> Made:
    """Compile programs for the target in ``folder`` into ``cache``.

    Those that the compiler's front end refuses are told apart first: a back end, which takes longer to start than to
    compile ten programs, is started for many others at once.
    """
    kernel = SavedKernel(folder, os.path.abspath(cache))
    made = Made()
    sound = [program for program in wanted if _is_missing(program, kernel, made)]
    for first in range(0, len(sound), TOGETHER):
        _compile(sound[first : first + TOGETHER], kernel, made)
    return made


def compile_functions(folder: str, cache: str) -> None:
    """Compile what makes columns of the agent's rings, for a machine with a processor of this kind, into ``cache``."""
    for file in opened(list(RECORDS.values()), SavedKernel(folder, os.path.abspath(cache))):
        if file is not None:
            os.close(file.fd)


def _is_missing(program: Program, kernel: SavedKernel, made: Made) -> bool:
    """Whether a program is to be compiled: the cache has it not, and the front end takes it."""
    try:
        kept = key(program, kernel, compiler_identity())
        if Cache(f"{kernel.cache}/objects").get(kept) is not None:
            return False
        compiler.ir(program, kernel.target)
    except SkepError as error:
        made.refused[program.name] = error
        return False
    return True


def _compile(some: Sequence[Program], kernel: SavedKernel, made: Made) -> None:
    """Compile programs together, and by halves where the back end or the linker refuses one of them."""
    try:
        compiled(some, kernel)
    except SkepError as error:
        if len(some) == 1:
            made.refused[some[0].name] = error
            return
        middle = len(some) // 2
        _compile(some[:middle], kernel, made)
        _compile(some[middle:], kernel, made)
