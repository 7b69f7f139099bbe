"""``--since``: a moment as a person writes it, in the time of this machine where no zone stands with it.

What the API takes is taken too; beyond that local times, and words for days. The agent is asked for nanoseconds.
"""

import re
from datetime import UTC, date, datetime, time, timedelta

import click

from skep.api.query import parse_since
from skep.base.clock import SECOND, boot_ns, wall_offset_ns
from skep.base.errors import BadInput
from skep.base.units import parse_duration
from skep.cli.options import told

EXPECTED = "write 10m, 08:00, yesterday, 2026-01-31 08:00, or a time with its zone such as 2026-01-31T08:00:00Z"
_DAYS = {"today": 0, "yesterday": 1}
_DAY, _CLOCK = r"\d{4}-\d\d-\d\d", r"\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?"
_LOCAL = re.compile(rf"({_DAY})(?:[t ]({_CLOCK}))?|({_CLOCK})", re.ASCII)
_AGO = re.compile(r"-\s*(\S+)|(\S+)\s+ago", re.ASCII)


class Since(click.ParamType[int]):
    """A duration before now, or a time: wall ns."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Nanoseconds since 1970."""
        if isinstance(value, int):
            return value
        try:
            return parse(str(value), boot_ns() + wall_offset_ns())
        except BadInput as error:
            self.fail(told(error), param, ctx)


def parse(text: str, now: int) -> int:
    """Wall ns of ``text``; ``now`` is what durations, days and times of a day are relative to. Raises BadInput.

    A time without a day is the last that has been: at three in the morning, 23:50 was yesterday.
    """
    written = text.strip().lower()
    if written in _DAYS:
        return _wall_ns(_day(now) - timedelta(days=_DAYS[written]), "00:00")
    try:
        if match := _LOCAL.fullmatch(written):
            return _local(match[1], match[2] or match[3] or "00:00", now)
        if match := _AGO.fullmatch(written):
            return max(0, now - parse_duration(match[1] or match[2], "since"))
        return parse_since(text, now)
    except BadInput as error:
        if not error.expected:
            raise
        raise BadInput(error.place, f"{text!r} is not understood", EXPECTED) from error
    except (ValueError, OverflowError) as error:
        raise BadInput("since", f"{text!r} is not a time: {error}") from error


def _local(day: str | None, clock: str, now: int) -> int:
    if day:
        return _wall_ns(date.fromisoformat(day), clock)
    today = _day(now)
    found = _wall_ns(today, clock)
    return found if found <= now else _wall_ns(today - timedelta(days=1), clock)


def _day(now: int) -> date:
    return datetime.fromtimestamp(now // SECOND, UTC).astimezone().date()


def _wall_ns(day: date, clock: str) -> int:
    whole, _, part = clock.partition(".")
    moment = datetime.combine(day, time.fromisoformat(whole)).astimezone()
    return max(0, int(moment.timestamp())) * SECOND + int((part or "0").ljust(9, "0"))
