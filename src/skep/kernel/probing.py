"""How probes take programs: functions of the kernel, functions and static probes of binaries.

A probe is a perf event of the kernel's kprobe or uprobe source, kept by its link; many at once are one link of their
own. No name is written to tracefs, so that nothing stays after a kill -9.
"""

import errno
import os
import struct
from contextlib import suppress
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import NamedTuple

from skep.base.errors import BadInput, KernelError, SkepError, Unsupported
from skep.base.lazy import lazy
from skep.base.similar import similar
from skep.kernel import commands, perf
from skep.kernel.binaries import Binary
from skep.kernel.bpf import DOOR, Door, address, packed
from skep.kernel.event_links import on_event, together
from skep.kernel.libraries import find
from skep.kernel.link import Link
from skep.kernel.perf import Probe
from skep.kernel.place import Place, name_of
from skep.kernel.programs import Program
from skep.kernel.refusal import ABSENT, TRACING, refused
from skep.kernel.static_probes import locations
from skep.kernel.tracefs import FUNCTIONS, Tracefs
from skep.lang.spec import Context, ProgramSpec

probes = lazy("skep.kernel.probes")  # only an older kernel needs it

_KPROBE_MULTI, _RETURN = 42, 1
_SYSCALLS = {"x86_64": "__x64_sys_", "aarch64": "__arm64_sys_"}
_WILD = frozenset("*?[")
_ALIKE = 2
"""With so many letters the nearest name begins alike: the kernel has some 50,000."""
_MOST = 64
"""So many places of a pattern become single probes where the kernel has no link for many."""


class Spot(NamedTuple):
    """A place in a file: the offset, that of the semaphore which is counted up there (0: none), and a cookie."""

    offset: int
    semaphore: int = 0
    cookie: int = 0


def kprobe(program: Program, place: Place, door: Door) -> Link:
    """On one function of the kernel."""
    function, _, offset = str(place.target).partition("+")
    if program.spec.kind.context is Context.SYSCALL:
        function = _SYSCALLS.get(os.uname().machine, "sys_") + function
    probe = Probe("kprobe", function, _offset(offset), returns=_returns(program))
    fd = _probe(program, place, probe, door)
    return Link((fd,), name_of(program, place), door=door)


def singly(spec: ProgramSpec, door: Door = DOOR) -> ProgramSpec:
    """A program on many functions as single probes take it, where the kernel has these and no link for many.

    It is known before it is loaded: programs of such a link ask it for their cookies, and for where they are.
    """
    kind = spec.kind
    if kind.attach_type != _KPROBE_MULTI or probes.probe("link.kprobe_multi", door=door).on:
        return spec
    if not probes.probe("link.kprobe", door=door).on:
        return spec
    return replace(spec, kind=replace(kind, attach_type=0))


def kprobe_multi(program: Program, place: Place, door: Door) -> Link:
    """On many functions of the kernel, by one link (5.18); a program that was made so, by a probe for each."""
    names = _functions(str(place.target).split(","), door)
    if not program.spec.kind.attach_type:
        remark = _instead("functions", program, place, len(names), "5.18")
        found = [Probe("kprobe", name, 0, _returns(program)) for name in names]
        return _each(program, place, found, [place.cookie] * len(names), door, remarks=(remark,))
    texts = [name.encode() + b"\0" for name in names]
    symbols = struct.pack(f"<{len(texts)}Q", *map(address, texts))
    cookies = struct.pack(f"<{len(texts)}Q", *[place.cookie] * len(texts))
    flags = _RETURN if _returns(program) else 0
    extra = packed("IIQQQ", flags, len(names), address(symbols), 0, address(cookies))
    try:
        return _multi(program, place, bytes(extra), door)
    except KernelError as error:
        if error.errno != errno.ESRCH:
            raise
        missing = _missing(names, door)
        if not missing:
            problem = "one of them is no function of the kernel that can be probed"
            raise BadInput(
                ", ".join(names), problem, f"the names are those in {FUNCTIONS}"
            ) from error
        raise _unknown(missing, door) from error


def _missing(names: list[str], door: Door) -> str:
    """The first of some names that the kernel does not let be probed; "" where it does not say which it does."""
    if len(names) == 1:
        return names[0]
    with suppress(SkepError), Tracefs.open(door=door) as tracefs:
        known = frozenset(tracefs.functions())
        return next((name for name in names if name not in known), "")
    return ""


def _functions(patterns: list[str], door: Door) -> list[str]:
    """The names that patterns stand for, among those that the kernel lets be probed."""
    if not any(_WILD & set(pattern) for pattern in patterns):
        return patterns
    with Tracefs.open(door=door) as tracefs:
        known = tracefs.functions()
    found = [name for name in known if any(fnmatchcase(name, p) for p in patterns)]
    if not found:
        problem = f"the kernel has no function like {', '.join(patterns)} that can be probed"
        raise BadInput("function", problem, f"the names are those in {FUNCTIONS}")
    return found


def uprobe(program: Program, place: Place, door: Door) -> Link:
    """On one place of a binary."""
    path, spots = _spots(place)
    return _single(program, place, path, spots, door)


def uprobe_multi(program: Program, place: Place, door: Door) -> Link:
    """On many places of a binary by one link (6.6); on older kernels a probe for each."""
    path, spots = _spots(place)
    offsets = struct.pack(f"<{len(spots)}Q", *(one.offset for one in spots))
    cookies = struct.pack(f"<{len(spots)}Q", *(place.cookie for _ in spots))
    file, flags = path.encode() + b"\0", _RETURN if _returns(program) else 0
    pid = max(place.pid, 0)
    extra = packed(
        "QQQQIII", address(file), address(offsets), 0, address(cookies), len(spots), flags, pid
    )
    try:
        return _multi(program, place, bytes(extra), door)
    except KernelError as error:
        if error.errno != errno.EINVAL or probes.probe("link.uprobe_multi", door=door).on:
            raise
    remark = _instead("places of a binary", program, place, len(spots), "6.6")
    return _single(program, place, path, spots, door, remarks=(remark,))


def _instead(what: str, program: Program, place: Place, found: int, since: str) -> str:
    """What is said of single probes where a newer kernel has one link. Unsupported where they would be too many."""
    if found > _MOST:
        problem = f"{place.target} stands for {found} of them"
        instead = f"a pattern of at most {_MOST}, which become single probes"
        raise Unsupported(f"one link for many {what}", problem, since, instead)
    return f"{name_of(program, place)} uses {found} single probes (since {since}: one link)"


def usdt(program: Program, place: Place, door: Door) -> Link:
    """On all places of a static probe; the cookie of each says where its arguments lie."""
    path, spots = static_spots(str(place.target))
    return _single(program, place, path, spots, door)


def static_spots(target: str) -> tuple[str, list[Spot]]:
    """The file and the places of ``binary:provider:name``; cookies count the ways in which arguments lie."""
    name, provider, probe = _static(target)
    path = find(name)
    with Binary.open(path) as binary:
        found = locations(binary, provider, probe)
    ways = sorted({one.arguments for one in found})
    return path, [Spot(one.offset, one.semaphore, ways.index(one.arguments)) for one in found]


def _static(target: str) -> tuple[str, str, str]:
    name, *probe = target.rsplit(":", 2)
    if len(probe) != 2 or not all((name, *probe)):
        expected = 'name it as in "libc:libc:setjmp": binary, provider, name'
        raise BadInput("usdt", f"{target!r} is no static probe of a binary", expected)
    return name, probe[0], probe[1]


def static_ways(target: str) -> tuple[str, ...]:
    """How the arguments of ``binary:provider:name`` lie, by cookie, as the notes have it. BadInput where it is none."""
    name, provider, probe = _static(target)
    with Binary.open(find(name)) as binary:
        return tuple(sorted({one.arguments for one in locations(binary, provider, probe)}))


def _offset(text: str) -> int:
    """The bytes behind a +, 0 where there are none."""
    try:
        return int(text, 0) if text else 0
    except ValueError as error:
        expected = "write it as in +16 or +0x10"
        raise BadInput("offset", f"{text!r} is no number of bytes", expected) from error


def _spots(place: Place) -> tuple[str, list[Spot]]:
    """The file and the places of ``binary:symbol+0x10``, ``binary:+0x1234`` or ``binary:one,two*``."""
    name, _, where = str(place.target).rpartition(":")
    if not name or not where:
        expected = 'name it as in "libc:malloc", "/usr/bin/bash:readline+0x10", "libc:+0x1234"'
        raise BadInput("uprobe", f"{place.target!r} is no place in a binary", expected)
    path = find(name)
    symbol, _, more = where.partition("+")
    offset = _offset(more)
    with Binary.open(path) as binary:
        found = binary.matching(tuple(symbol.split(","))) if symbol else {"": 0}
    return path, [Spot(at + offset) for at in sorted(found.values())]


def _single(
    program: Program,
    place: Place,
    path: str,
    spots: list[Spot],
    door: Door,
    *,
    remarks: tuple[str, ...] = (),
) -> Link:
    returns = _returns(program)
    found = [Probe("uprobe", path, one.offset, returns, one.semaphore) for one in spots]
    cookies = [place.cookie or one.cookie for one in spots]
    return _each(program, place, found, cookies, door, remarks=remarks)


def _each(
    program: Program,
    place: Place,
    found: list[Probe],
    cookies: list[int],
    door: Door,
    *,
    remarks: tuple[str, ...] = (),
) -> Link:
    """One link that is a probe at each place, with its cookie."""
    fds = (
        _probe(program, place._replace(cookie=cookie), one, door)
        for one, cookie in zip(found, cookies, strict=True)
    )
    return together(fds, name_of(program, place), door, remarks)


def _returns(program: Program) -> bool:
    return "ret" in program.spec.kind.name


def _probe(program: Program, place: Place, probe: Probe, door: Door) -> int:
    """A link to a probe, which it keeps alive."""
    return on_event(program, place, _event(program, place, probe, door), door)


def _event(program: Program, place: Place, probe: Probe, door: Door) -> int:
    """The event of a probe."""
    name, kind = name_of(program, place), program.spec.kind
    try:
        with refused("perf_event_open", name, needs=TRACING, door=door):
            return perf.open_probe(door, probe, place.pid)
    except perf.NoSource as error:
        raise Unsupported(kind.name, str(error), kind.since, kind.instead) from error
    except KernelError as error:
        if error.errno == errno.EILSEQ:
            hint = "an offset is that of a whole instruction, as a disassembler shows them"
            where = f"{probe.name}+{probe.offset:#x}"
            raise BadInput(where, "no instruction begins there", hint) from error
        if error.errno != errno.ENOENT or probe.source != "kprobe":
            raise
        raise _unknown(probe.name, door) from error


def _unknown(function: str, door: Door) -> BadInput:
    """The error for a function that the kernel does not let be probed, with the nearest that it does."""
    near = None
    with suppress(SkepError), Tracefs.open(door=door) as tracefs:
        alike = [name for name in tracefs.functions() if name[:_ALIKE] == function[:_ALIKE]]
        near = similar(function, alike)
    problem = "the kernel has no function of that name that can be probed"
    hint = f"did you mean {near!r}?" if near else f"the names are those in {FUNCTIONS}"
    return BadInput(function, problem, hint)


def _multi(program: Program, place: Place, extra: bytes, door: Door) -> Link:
    name, kind = name_of(program, place), program.spec.kind
    with refused("BPF_LINK_CREATE", name, needs=TRACING, door=door):
        try:
            fd = commands.link_create(door, program.fd, 0, kind.attach_type, extra=extra)
        except OSError as error:
            if error.errno in ABSENT and error.errno != errno.EINVAL:
                why = "this kernel is built without it"
                raise Unsupported(kind.name, why, kind.since, kind.instead) from error
            raise
    return Link((fd,), name, door=door)
