"""Bytes and durations as people write and read them. Pure text and numbers; knows no clock."""

import re

from skep.base.errors import BadInput

_BYTES = {
    "": 1,
    "b": 1,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "tb": 1000**4,
    "k": 1024,
    "m": 1024**2,
    "g": 1024**3,
    "t": 1024**4,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
    "tib": 1024**4,
}
_NANOS = {
    "ns": 1,
    "us": 1000,
    "ms": 1000**2,
    "s": 1000**3,
    "": 1000**3,
    "m": 60 * 1000**3,
    "min": 60 * 1000**3,
    "h": 3600 * 1000**3,
    "d": 86400 * 1000**3,
}
_QUANTITY = r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-zA-Z]*)\s*"
_PARTS = r"[0-9.]+\s*[a-zA-Z]+"
_DURATION = rf"(?:{_PARTS}\s*)+"


def parse_bytes(text: str, place: str = "size") -> int:
    """``64MiB``, ``64M`` (both of 1024), ``64MB`` (of 1000), ``4096``; BadInput names ``place``."""
    return _quantity(text, _BYTES, place, "a size such as 4096, 64MiB or 64MB")


def parse_duration(text: str, place: str = "duration") -> int:
    """``10s``, ``250ms``, ``1m30s``, or plain seconds; in ns. BadInput names ``place``."""
    parts = (
        re.findall(_PARTS, text, re.ASCII) if re.fullmatch(_DURATION, text, re.ASCII) else [text]
    )
    expected = "a duration such as 10s, 250ms or 1m30s"
    return sum(_quantity(part, _NANOS, place, expected) for part in parts)


def _quantity(text: str, units: dict[str, int], place: str, expected: str) -> int:
    match = re.fullmatch(_QUANTITY, text, re.ASCII)
    factor = units.get(match[2].lower()) if match else None
    if match is None or factor is None:
        raise BadInput(place, f"{text!r} is not understood", f"write {expected}")
    whole, _, fraction = match[1].partition(".")
    part = int(fraction) * factor // 10 ** len(fraction) if fraction else 0
    return int(whole) * factor + part


def bytes_text(count: int) -> str:
    """``999 B``, ``1.5 KiB``, ``64 MiB``: at most one decimal."""
    return _scaled(count, 1024, ("B", "KiB", "MiB", "GiB", "TiB"))


def nanos_text(ns: int) -> str:
    """``850 ns``, ``1.5 us``, ``12 ms``, ``3.2 s``, ``2m30s``, ``5h01m``: at most one decimal."""
    if abs(ns) < 100 * 1000**3:
        return _scaled(ns, 1000, ("ns", "us", "ms", "s"))
    minutes, seconds = divmod(abs(ns) // 1000**3, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{seconds:02d}s"
    return f"-{text}" if ns < 0 else text


def count_text(count: int) -> str:
    """``1,234,567``."""
    return f"{count:,}"


def _scaled(value: int, step: int, units: tuple[str, ...]) -> str:
    size, rank = float(value), 0
    while abs(size) >= step - 0.05 and rank < len(units) - 1:
        size, rank = size / step, rank + 1
    text = f"{size:.1f}" if rank else str(value)
    return f"{text.removesuffix('.0')} {units[rank]}"
