"""Python's own functions as a program has them: results have types, and wrap around as in the kernel."""

from collections.abc import Callable, Iterable, Iterator
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


def _reversed(of: Iterable[Any]) -> Iterator[Any]:
    return iter(list(of)[::-1])


MAX = _least(max)
BUILTINS: dict[str, Callable[..., Any]] = {
    "min": _least(min),
    "max": MAX,
    "abs": _abs,
    "divmod": _divmod,
    "reversed": _reversed,
}
