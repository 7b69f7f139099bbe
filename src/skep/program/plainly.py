"""How a script that ends by an error of skep shows it: with the script's own lines, and none of ours.

Python ends a script with every frame on the way, of which most would be the compiler's. The interpreter's last resort,
``sys.excepthook``, is replaced when such an error leaves a function of the developer's face, and only where nobody else
has replaced it.
"""

import os
import sys
from collections.abc import Callable
from functools import wraps
from types import TracebackType
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from skep.base.errors import SkepError
from skep.base.lazy import lazy

if TYPE_CHECKING:
    import traceback
else:
    traceback = lazy("traceback")

OURS = f"{os.path.dirname(os.path.dirname(__file__))}{os.path.sep}"

P = ParamSpec("P")
T = TypeVar("T")


def plainly(function: Callable[P, T]) -> Callable[P, T]:
    """``function``, whose errors are shown without our frames where nothing catches them."""

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except SkepError:
            if sys.excepthook is sys.__excepthook__:
                sys.excepthook = show
            raise

    return wrapped


def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Write an exception as Python does; one of skep without our frames, and without what it came from."""
    if not isinstance(error, SkepError):
        sys.__excepthook__(kind, error, trace)
        return
    frames = [frame for frame in traceback.extract_tb(trace) if not frame.filename.startswith(OURS)]
    lines = ["Traceback (most recent call last):\n", *traceback.format_list(frames)]
    sys.stderr.write("".join([*lines, *traceback.format_exception_only(kind, error)]))
