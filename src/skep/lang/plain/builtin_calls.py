"""Python's own functions as a program has them: results have types, and wrap around as in the kernel."""

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from typing import Any

from skep.lang.plain.numbers import Number, kind_of, meeting, operate, value_of


def _least(choose: Callable[[int, int], int]) -> Callable[..., int]:
    def of_two(left: int, right: int) -> int:
        if kind_of(left) is kind_of(right) is None:
            return choose(left, right)
        return Number(meeting(choose.__name__, left, right), choose(int(left), int(right)))

    return lambda *values: reduce(of_two, map(value_of, values))


def _abs(value: Any) -> int:
    number = value_of(value)
    kind = kind_of(number)
    if kind is None:
        return abs(number)
    return number if not kind.signed else MAX(number, operate("-", 0, number))


def _divmod(left: Any, right: Any) -> tuple[int, int]:
    return operate("//", left, right), operate("%", left, right)


class Items(Sequence[Any]):
    """What a loop runs over: each item is read when its round begins, for the rounds before may have changed it."""

    def __init__(self, count: int, item: Callable[[int], Any]) -> None:
        self._count, self._item = count, item

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        return self._item(range(self._count)[index])


def _items(of: Any) -> Any:
    """An array or a tuple as it is; what can only be gone over, as a list."""
    return of if hasattr(of, "__getitem__") else list(of)


def _reversed(of: Iterable[Any]) -> Items:
    items = _items(of)
    return Items(len(items), lambda index: items[len(items) - 1 - index])


def _enumerate(of: Iterable[Any], start: int = 0) -> Items:
    items = _items(of)
    return Items(len(items), lambda index: (start + index, items[index]))


def _zip(*several: Iterable[Any], strict: bool = False) -> Items:
    beside = list(map(_items, several))
    counts = set(map(len, beside))
    if strict and len(counts) > 1:
        raise ValueError(f"these have {' and '.join(map(str, sorted(counts)))} elements")
    return Items(min(counts), lambda index: tuple(items[index] for items in beside))


MAX = _least(max)
BUILTINS: dict[str, Callable[..., Any]] = {
    "min": _least(min),
    "max": MAX,
    "abs": _abs,
    "divmod": _divmod,
    "enumerate": _enumerate,
    "zip": _zip,
    "reversed": _reversed,
}
