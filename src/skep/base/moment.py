"""When an event was, as people tell it: boot time as a ``datetime``. Apart from the clock, for few programs need it."""

from datetime import UTC, datetime

from skep.base.clock import SECOND, wall_offset_ns


def wall_time(boot: int) -> datetime:
    """The moment of a boot time in ns, by what the wall clock says now: in local time, cut to the microsecond."""
    seconds, fraction = divmod(boot + wall_offset_ns(), SECOND)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=fraction // 1000).astimezone()
