"""Compiled programs from the cache, or else from the compiler, which is started once for all that are missing.

Nothing of LLVM is imported here; the compiler's front end is imported only where something is missing.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from skep import lang
from skep.base.errors import BadInput, CompileError
from skep.base.lazy import lazy
from skep.lang.cache import Cache
from skep.lang.capture import digested, fingerprint, modules_of, reached
from skep.lang.finish import Compiled, finish
from skep.lang.linked import Linked, dump, parse
from skep.lang.modules import split
from skep.lang.private import CacheRefusal, Reason
from skep.lang.programs import Program

if TYPE_CHECKING:
    from skep.lang.front.scope import Target

compiler = lazy("skep.lang.compile")


class Host(Protocol):
    """What programs are compiled for: a kernel, and where its objects are kept ("": nowhere).

    ``refusals`` counts what the cache had and what was not used, or could not be kept.
    """

    cache: str
    refusals: "Counter[CacheRefusal]"

    @property
    def identity(self) -> str:
        """The kernel's build id."""
        ...

    @property
    def cpu(self) -> str:
        """The instruction set."""
        ...

    @property
    def target(self) -> "Target":
        """The compiler's target."""
        ...

    def module_identity(self, name: str) -> str:
        """What tells a build of a loaded module from others; "" where it is not loaded."""
        ...


@lru_cache(maxsize=1)
def compiler_identity() -> str:
    """What tells one version of the compiler from another: the files of its package, by size and time.

    As this process saw them first, for it goes on with what it has imported.
    """
    digest = hashlib.sha256()
    root = os.path.dirname(lang.__file__)
    for folder, _, files in sorted(os.walk(root)):
        for name in sorted(files):
            if name.endswith(".py"):
                found = os.stat(f"{folder}/{name}")
                digest.update(
                    f"{folder[len(root) :]}/{name}:{found.st_size}:{found.st_mtime_ns};".encode()
                )
    return digest.hexdigest()


def key(program: Program, host: Host, compiler_id: str) -> bytes:
    """The cache key of a program: all that decides what it compiles to."""
    kind = program.kind
    layout = ""
    if kind.name == "tracepoint":
        found = host.target.formats(*program.hook.split("/"))
        layout = repr([(f.name, repr(f.type), f.offset) for f in found.fields]) if found else ""
    elif kind.name == "usdt":
        layout = repr(_ways(program, host))
    reach = list(reached(program))
    named = [split(kind.name, program.hook)[0], *modules_of(reach)]
    layout += "".join(f"{one}={host.module_identity(one)};" for one in named if one)
    chained = "" if program.chain is None else f"go on at {program.chain.go_on}"
    instead = "" if program.replaces is None else fingerprint(program.replaces)
    form = (
        kind.name,
        kind.context.name,
        kind.struct,
        program.hook,
        *program.calls,
        chained,
        instead,
    )
    parts = (compiler_id, host.identity, host.cpu, repr(form), program.name, layout)
    return bytes.fromhex(digested(reach, *parts))


def _ways(program: Program, host: Host) -> tuple[str, ...]:
    """How the arguments of a static probe lie; nothing where there is none: the compiler says so at its line."""
    try:
        return host.target.usdt(program.hook)
    except BadInput:
        return ()


def compiled(programs: Sequence[Program], host: Host) -> list[Compiled]:
    """The programs, compiled. Raises CompileError at the first that is wrong; a cache that fails costs time only."""
    cache = Cache(f"{host.cache}/objects") if host.cache and host.identity else None
    identity = compiler_identity() if cache else ""
    keys = [key(program, host, identity) if cache else b"" for program in programs]
    found = [_cached(cache, one) for one in keys]
    missing = [i for i, linked in enumerate(found) if linked is None]
    if missing:
        made = compiler.compile_all([programs[i] for i in missing], host.target)
        for i, linked in zip(missing, made, strict=True):
            found[i] = linked
            if cache is not None:
                cache.put(keys[i], dump(linked))
    if cache is not None:
        host.refusals.update(cache.refusals)
    return [_finished(program, linked) for program, linked in zip(programs, found, strict=True)]


def _cached(cache: Cache | None, one: bytes) -> Linked | None:
    data = cache.get(one) if cache is not None else None
    if cache is None or data is None:
        return None
    try:
        return parse(data)
    except BadInput as error:
        cache.refusals[CacheRefusal(cache.directory, Reason.CORRUPT, str(error))] += 1
        return None


def _finished(program: Program, linked: Linked | None) -> Compiled:
    if linked is None:
        raise CompileError(f"{program.name} was not compiled")
    return finish(program, linked)
