"""LLVM text to objects, of BPF or of the machine's own code, by a child process that runs ``llvm.py``.

A ``Backend`` starts its child when it is entered (LLVM loads while the caller still writes its
modules) and leaves no process behind. A child that LLVM ends is a ``CompileError`` of the module
that it was at; one that something else kills is started once more. What it may take is counted in
time of a processor, for a machine may be busy. It must not import llvmlite, and knows nothing of
the language.
"""

import os
import re
import signal
import struct
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.machinery import PathFinder
from typing import Any, Self

from skep.base.errors import CompileError, Span
from skep.base.frozen import frozen
from skep.base.lazy import lazy

linecache, resource, subprocess = lazy("linecache"), lazy("resource"), lazy("subprocess")

PROCESSORS = ("x86_64", "aarch64")
"""Machines whose own code can be made (as uname -m names them)."""
CPUS = ("v3", "v4")
SECONDS = 60
"""Of a processor, for all modules that one child is given."""
PATIENCE = 900.0
"""Seconds after which a child hangs that has neither ended nor taken its time of a processor."""
_SCRIPT = os.path.join(os.path.dirname(__file__), "llvm.py")
_REQUEST = struct.Struct("<8sI")
_ANSWER = struct.Struct("<cI")
_KILLED = (-9, -15)  # by signals that LLVM does not send to itself
_TELLING = re.compile(r"(?:LLVM ERROR|[Ee]rror): (.*)|(Assertion .*)")
_PLACE = re.compile(r"(?P<file>.*?):(?P<line>\d+):(?P<column>\d+): in function .*?\): (?P<text>.*)")
_HINTS = (
    ("signed division", "make both sides unsigned; signed // and % need Linux 6.6"),
    ("stack limit", "put large ones into a PerCpuArray(Type, 1), and take them by lookup(0)"),
    ("too many arg", "a function that is called has at most 5 parameters"),
    ("dynamic stack", "the size of a local variable is fixed when the program is compiled"),
    ("built-in function", "programs compute with integers of up to 64 bits"),
    ("Cannot select", "an atomic operation, or a conversion, that this BPF cpu does not have"),
)


@frozen
class IrModule:
    """A module to compile: the program's name (for errors), LLVM text, BPF cpu ("v3" or "v4") or one of PROCESSORS."""

    name: str
    text: str
    cpu: str = "v3"


def emit(modules: Sequence[IrModule]) -> list[bytes]:
    """The ELF objects of ``modules``, in order, by one child. Errors are those of Backend.emit."""
    if not modules:
        return []
    with Backend() as backend:
        return backend.emit(modules)


class Backend:
    """A child that loads LLVM and compiles; a context manager, which ends it.

    ``script`` is what ``python`` runs; ``seconds`` of a processor are the most that one ``emit`` may take, and
    ``patience`` is how long it is waited for.
    """

    def __init__(
        self,
        *,
        script: str = _SCRIPT,
        python: str = sys.executable,
        seconds: int = SECONDS,
        patience: float = PATIENCE,
    ) -> None:
        self._command = [python, "-I", "-S", script, _llvmlite()]
        self._seconds, self._patience = seconds, patience
        self._child: Any = None

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._child is not None:
            with self._child as child:
                child.kill()
            self._child = None

    def emit(self, modules: Sequence[IrModule]) -> list[bytes]:
        """The ELF objects of ``modules``, in their order.

        Raises CompileError with the module's name and LLVM's first line, with the user's line
        where LLVM names it. A second call starts a second child.
        """
        objects: list[bytes] = []
        killed = 0
        while len(objects) < len(modules):
            outcome = self._run(modules[len(objects) :])
            objects += outcome.objects
            if len(objects) == len(modules):
                break
            if outcome.status not in _KILLED or killed:
                raise self._error(modules[len(objects)].name, outcome)
            killed += 1
        return objects

    def _start(self) -> None:
        pipe = subprocess.PIPE
        try:
            self._child = subprocess.Popen(self._command, stdin=pipe, stdout=pipe, stderr=pipe)
        except OSError as error:
            problem = f"the compiler cannot start {self._command[0]}: {error.strerror}"
            raise CompileError(problem) from error
        _limit(self._child.pid, self._seconds)

    def _run(self, modules: Sequence[IrModule]) -> "_Outcome":
        requests = b"".join(_request(module) for module in modules)
        if self._child is None:
            self._start()
        with self._child as child:
            self._child = None
            try:
                out, err = child.communicate(requests, self._patience)
            except subprocess.TimeoutExpired:
                child.kill()
                out, err = child.communicate()
                return _outcome(out, err, None)
            except BaseException:
                child.kill()
                raise
        return _outcome(out, err, child.returncode)

    def _error(self, name: str, outcome: "_Outcome") -> CompileError:
        if outcome.status is None:
            problem = f"the compiler's back end did not end within {self._patience:g} s at {name}"
            return CompileError(problem, hint="was it stopped, or is the machine out of memory?")
        if outcome.status == -signal.SIGXCPU:
            problem = f"the compiler's back end took more than {self._seconds} s of a processor"
            hint = "make it smaller: calls of skep.inline are compiled once more each"
            return CompileError(f"{problem} for {name}", hint=hint)
        return _error(name, outcome)


@frozen
class _Outcome:
    """What a child left: objects, then a refusal or last words. ``status`` None: out of time."""

    objects: list[bytes]
    refusal: str
    words: str
    status: int | None


def _limit(pid: int, seconds: int) -> None:
    """Let the kernel end a process that computes longer, unless it has a lower limit already."""
    with suppress(ProcessLookupError):  # it has ended
        _, most = resource.prlimit(pid, resource.RLIMIT_CPU)
        if most == resource.RLIM_INFINITY or most > seconds:
            resource.prlimit(pid, resource.RLIMIT_CPU, (seconds, most))


def _llvmlite() -> str:
    """The directory that holds the package llvmlite, found without importing it."""
    found = PathFinder.find_spec("llvmlite")
    if found is None or not found.submodule_search_locations:
        problem = "the compiler needs the package llvmlite, which is not installed"
        raise CompileError(problem, hint="pip install llvmlite")
    return os.path.dirname(next(iter(found.submodule_search_locations)))


def _request(module: IrModule) -> bytes:
    if module.cpu not in CPUS + PROCESSORS:
        known = ", ".join(CPUS)
        raise CompileError(f"{module.name}: no BPF cpu is named {module.cpu!r}; there are {known}")
    text = module.text.encode("utf-8", "backslashreplace")
    return _REQUEST.pack(module.cpu.encode(), len(text)) + text


def _outcome(out: bytes, err: bytes, status: int | None) -> _Outcome:
    objects: list[bytes] = []
    offset = 0
    while offset + _ANSWER.size <= len(out):
        kind, length = _ANSWER.unpack_from(out, offset)
        offset += _ANSWER.size + length
        payload = out[offset - length : offset]
        if offset > len(out):
            break
        if kind == b"e":
            return _Outcome(objects, payload.decode("utf-8", "replace"), "", status)
        objects.append(payload)
    return _Outcome(objects, "", _words(err, len(objects)), status)


def _words(err: bytes, index: int) -> str:
    """What was printed since the module of that index was begun (all of it where none was)."""
    parts = err.split(b"\0")
    return b"".join(parts[index + 1 :] or parts).decode("utf-8", "replace")


def _error(name: str, outcome: _Outcome) -> CompileError:
    if outcome.status in _KILLED:
        problem = f"the compiler's back end was killed twice at {name} (signal {-outcome.status})"
        return CompileError(problem, hint="it takes about 100 MB: is the machine out of memory?")
    said = _telling(outcome.refusal or outcome.words) or f"it ended with status {outcome.status}"
    place = _PLACE.fullmatch(said)
    problem = place["text"] if place else said
    hint = next((hint for word, hint in _HINTS if word in problem), "")
    if "stack limit" in problem:
        problem = f"the local variables of {name} have more than the 512 bytes of a program's stack"
    else:
        problem = f"the compiler's back end refused {name}: {problem.split('. ')[0]}"
    return CompileError(problem, _span(place), hint)


def _telling(text: str) -> str:
    """The line of LLVM's output that says what is wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line in lines:
        if match := _TELLING.search(line):
            return match[1] or match[2]
    return lines[0] if lines else ""


def _span(place: re.Match[str] | None) -> Span | None:
    if place is None or place["file"] == "<unknown>":
        return None
    file, line, column = place["file"], int(place["line"]), int(place["column"])
    return Span(file, line, column, column + 1, linecache.getline(file, line).rstrip("\n"))
