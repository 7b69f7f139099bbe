"""A program's function bound to a FakeKernel: the same source, compiled by Python, with fakes for what it captures.

Line numbers stay the user's own, in tracebacks and in coverage.
"""

import ast
import builtins
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

from skep.lang.capture import MISSING, plain, resolve
from skep.lang.helpers import Helper
from skep.lang.intrinsics import LAYOUTS, SWAPS, TEXTS, Intrinsic
from skep.lang.kernel_names import KernelFunction, KernelIterator, KernelView
from skep.lang.kernel_variables import KernelAddress, KernelVariable
from skep.lang.maps import Declaration
from skep.lang.objects import is_object
from skep.lang.plain.builtin_calls import BUILTINS as PYTHONS
from skep.lang.plain.kernel import FakeKernel, no_fake
from skep.lang.plain.kernel_variables import CpuVariable
from skep.lang.plain.memory import Kind, fresh, in_place, kept, kind_of_memory, number_now
from skep.lang.plain.nested import TailCall
from skep.lang.plain.numbers import Number, kind_of, meeting, operate, value_of
from skep.lang.plain.objects import ObjectKind
from skep.lang.plain.packets import Packet
from skep.lang.plain.widths import IN_PLACE, KEPT, OPERATE, READ, Widths
from skep.lang.source import parse
from skep.lang.spec import ProgramKind
from skep.lang.struct import StructType
from skep.lang.types import ArrayType, IntType, char, s32, u64


def run(
    function: FunctionType, kind: ProgramKind, args: tuple[Any, ...], kernel: FakeKernel | None
) -> int:
    """Run a program once, and those that it goes on in; the result, or its kind's own where it says nothing.

    RuntimeError where it keeps a record that it reserved, or an object.
    """
    given = tuple(
        Packet(a) if kind.packet and isinstance(a, bytes | bytearray) else a for a in args
    )
    around = kernel or FakeKernel()
    around.begin(kind, given[0] if given else None)
    try:
        result = _gone_through(function, given, around)
    finally:
        for one in given:
            if isinstance(one, Packet):
                one.hand_back()
    verdict = kind.default if result is None else int(value_of(result))
    # The result of what stands in for a function has a type of its own.
    return verdict if hasattr(function, "__skep_global__") else s32.wrap(verdict)


def _gone_through(function: FunctionType, given: tuple[Any, ...], kernel: FakeKernel) -> Any:
    """What a program gives, or the last one that it went on in."""
    around = _held(kernel)
    while True:
        try:
            result = Binding(kernel).function(function)(*given)
        except TailCall as going:
            _refuse_held(function, kernel, around)
            function, given = plain(going.program), (going.context,)
            continue
        _refuse_held(function, kernel, around)
        return result


def _coming_back(
    function: FunctionType, run: Callable[..., Any], kernel: FakeKernel
) -> Callable[..., Any]:
    """A global function: where it goes on in another program, it gives what that gives."""
    written = function.__annotations__.get("return")
    kind = resolve(function, written) if isinstance(written, str) else written

    def called(*args: Any, **named: Any) -> Any:
        around = _held(kernel)
        try:
            return run(*args, **named)
        except TailCall as going:
            _refuse_held(function, kernel, around)
            given = _gone_through(plain(going.program), (going.context,), kernel)
            return Number(kind if isinstance(kind, IntType) else s32, value_of(given or 0))

    return called


class _Held(NamedTuple):
    """The records and objects that are a program's at a time, by the names of their classes."""

    records: Counter[str]
    objects: Counter[str]


def _held(kernel: FakeKernel) -> _Held:
    return _Held(Counter(kernel.held()), Counter(one.name for one in kernel.timers.owned.values()))


def _refuse_held(function: FunctionType, kernel: FakeKernel, around: _Held) -> None:
    """RuntimeError where a function keeps what it was to end; ``around`` is what its callers have."""
    now = _held(kernel)
    records, owned = now.records - around.records, now.objects - around.objects
    if records:
        names = ", ".join(records.elements())
        raise RuntimeError(f"{function.__name__} neither submitted nor discarded: {names}")
    if owned:
        kernel.timers.owned.clear()
        names = ", ".join(owned.elements())
        raise RuntimeError(f"{function.__name__} neither dropped nor linked: {names}")


class Binding:
    """Fakes in place of what functions capture, for one kernel; a function that calls others is bound with them."""

    def __init__(self, kernel: FakeKernel) -> None:
        self.kernel = kernel
        self._functions: dict[FunctionType, Callable[..., Any]] = {}

    def function(self, function: FunctionType) -> Callable[..., Any]:
        """The function, bound."""
        if function not in self._functions:
            space: dict[str, Any] = {"__builtins__": builtins, **BUILTINS, "print": self._print}
            name = function.__name__
            self._functions[function] = lambda *args, **named: space[name](*args, **named)  # noqa: PLW0108 - defined below
            space |= {name: self.value(value) for name, value in _globals(function)}
            rewritten = _rewritten(function)
            space |= rewritten.casts
            exec(rewritten.code, space)  # noqa: S102 - the user's own function, as they wrote it
            left_out = tuple(map(self.value, function.__defaults__ or ()))
            space[name].__defaults__ = left_out or None
            made = space[name]
            if hasattr(function, "__skep_global__"):
                made = space[name] = _coming_back(function, made, self.kernel)
            self._functions[function] = made
        return self._functions[function]

    def _fake(self, name: str, *args: Any) -> Any:
        """What the fake of a kernel function gives. TypeError where there is none."""
        if name not in self.kernel.helpers:
            raise TypeError(no_fake(name))
        return self.kernel.helpers[name](*args)

    def _print(self, *shown: Any, file: Any = None) -> Any:
        """A line for whoever runs the test, or among what an iterator wrote; 0, as a stream's is taken."""
        if file in (None, sys.stdout, sys.stderr):
            print(*shown, file=file)
        else:
            self.kernel.written += f"{' '.join(map(str, shown))}\n".encode()
        return Number(s32, 0)

    def _text(self, address: Any, size: int) -> Any:
        """Text at an address, as memory of ``size`` bytes."""
        found = self.kernel.seen(address)
        data = found.encode() if isinstance(found, str) else bytes(found)
        made: Any = fresh(char[int(size)])
        made.memory[:] = data.split(b"\0", 1)[0][: int(size) - 1].ljust(int(size), b"\0")
        return made

    def _named(self, value: KernelView | KernelAddress | KernelVariable) -> Any:
        """What stands for what is named of the kernel; None for a variable that the test says is not there."""
        if isinstance(value, KernelView):
            return self.kernel.seen
        found = self.kernel.symbol(value.name)
        if found is None:
            return None
        return Number(u64, found) if isinstance(value, KernelAddress) else CpuVariable(found)

    def _called(self, value: Helper | KernelFunction | KernelIterator) -> Callable[..., Any]:
        """What stands for a helper, a function of the kernel's, or what is gone over there."""
        if isinstance(value, Helper):
            return lambda *args: self.kernel.call(value.name, *args)
        over = isinstance(value, KernelIterator)
        name = f"bpf_iter_{value.name}" if over else value.name
        return lambda *args: self._fake(name, *args)

    def value(self, value: Any) -> Any:
        """What stands in plain Python for a captured object."""
        value = plain(value)
        match value:
            case Declaration():
                return self.kernel.inside(value)
            case Helper() | KernelFunction() | KernelIterator():
                return self._called(value)
            case KernelView() | KernelAddress() | KernelVariable():
                return self._named(value)
            case Intrinsic():
                text = value.name in TEXTS
                return self._text if text else lambda *args: _intrinsic(value, *args)
            case IntType() | ArrayType() | StructType():
                return (
                    ObjectKind(value, self.kernel.timers.owned) if is_object(value) else Kind(value)
                )
            case FunctionType():
                return self.function(value)
            case ModuleType():
                return _Module(self, value)
            case frozenset():  # memory is compared, and has no hash
                value = tuple(sorted(value, key=repr))
        return value


def _globals(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """What a function finds by name, each time that it is bound; what lies in modules is found as it is read."""
    code = function.__code__
    for name in (*code.co_freevars, *code.co_names):
        value = resolve(function, name)
        if value is not MISSING and value is not getattr(builtins, name, None):
            yield name, value


class Rewritten(NamedTuple):
    """A function as plain Python runs it: its code, and the casts that this calls, by name."""

    code: CodeType
    casts: dict[str, Any]


@lru_cache(maxsize=512)
def _rewritten(function: FunctionType) -> Rewritten:
    """The same for each kernel that it runs against, and most of the time of a run."""
    source, widths = parse(function), Widths(function)
    module = ast.fix_missing_locations(ast.Module([widths.rewrite(source.tree)], []))
    ast.increment_lineno(module, source.text.line - 1)
    code = compile(module, source.text.file, "exec")
    return Rewritten(code, {name: Kind(kind) for name, kind in widths.kinds.items()})


class _Module:
    """A captured module whose attributes are replaced as they are read."""

    def __init__(self, binding: Binding, module: ModuleType) -> None:
        self._binding, self._module = binding, module

    def __getattr__(self, name: str) -> Any:
        return self._binding.value(getattr(self._module, name))


class _Slot:
    """A number in memory as the intrinsics take it."""

    def __init__(self, place: Any) -> None:
        self._place = place

    def __getitem__(self, _: int) -> int:
        return int(self._place.load())

    def __setitem__(self, _: int, value: int) -> None:
        self._place.store(value)


def _intrinsic(value: Intrinsic, target: Any, *operands: Any) -> int:
    if value.name in LAYOUTS:
        return int(value(kind_of_memory(target), *operands))
    if value.name in SWAPS:
        return Number(SWAPS[value.name], value(int(value_of(target))))
    place = getattr(target, "place", None)
    if place is None:
        raise TypeError(f"{value.name}() takes a number in memory: a field, or what a lookup gave")
    old = place.load()
    value(_Slot(place), *(place.kind.wrap(int(value_of(one))) for one in operands))
    return Number(place.kind, old)


def _range(*bounds: Any) -> Iterator[int]:
    """As ``range``; the loop's variable has the type of the bounds, where they have one."""
    start, stop = (0, bounds[0]) if len(bounds) == 1 else bounds[:2]
    start, stop = value_of(start), value_of(stop)
    step = int(bounds[2]) if len(bounds) > 2 else 1
    kind = None if kind_of(start) is kind_of(stop) is None else meeting("range", start, stop)
    numbers = range(int(start), int(stop), step)
    return iter(numbers) if kind is None else (Number(kind, number) for number in numbers)


BUILTINS: dict[str, Callable[..., Any]] = {
    "range": _range,
    **PYTHONS,
    OPERATE: operate,
    IN_PLACE: in_place,
    KEPT: kept,
    READ: number_now,
}
