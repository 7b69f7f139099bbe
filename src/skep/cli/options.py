"""Options that several commands share: for how long, as text or JSON, which instance.

Commands that ask no agent import this much and no more; the rest is in `reach`.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from skep.base.clock import SECOND
from skep.base.errors import BadInput
from skep.base.units import parse_duration

LONGEST = 3650 * 86400 * SECOND
"""A timer of the system takes more, but not any number."""
Function = TypeVar("Function", bound=Callable[..., Any])


def told(error: BadInput) -> str:
    """What click says behind the option's name: the error without its place."""
    return error.problem + (f"; {error.expected}" if error.expected else "")


class Number(click.IntRange):
    """A number in a range, called so in errors."""

    name = "number"


class Duration(click.ParamType[float]):
    """``10s``, ``1m30s``: seconds."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Seconds of the text."""
        if isinstance(value, float):
            return value
        try:
            nanos = parse_duration(str(value), "duration")
        except BadInput as error:
            self.fail(told(error), param, ctx)
        if nanos > LONGEST:
            self.fail(f"{value!r} is too long; take at most 3650d", param, ctx)
        return nanos / SECOND


def instance_option(function: Function) -> Function:
    """``--instance NAME``."""
    return click.option(
        "--instance",
        metavar="NAME",
        help="Which agent of this host: the one of this name.  [default: default]",
    )(function)


def json_option(function: Function) -> Function:
    """``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def for_option(function: Function) -> Function:
    """``--for DURATION``."""
    return click.option(
        "--for", "seconds", type=Duration(), help="End after this time, such as 10s or 1m30s."
    )(function)
