"""Time and byte values as settings and parameters write them: `30s`, `512mb`."""

from __future__ import annotations

import re

_TIME = re.compile(r"(-?\d{1,18}(?:\.\d+)?)\s*(nanos|micros|ms|s|m|h|d)", re.IGNORECASE)
_MILLIS = {"nanos": 1e-6, "micros": 1e-3, "ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_SIZE = re.compile(r"(-?\d{1,18}(?:\.\d+)?)\s*(b|k|kb|m|mb|g|gb|t|tb|p|pb)", re.IGNORECASE)
_POWER = {"b": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


def parse_millis(text: str) -> int:
    """Milliseconds of a time value; `-1` and `0` need no unit. Raises ValueError."""
    value = text.strip()
    if value in ("-1", "0"):
        return int(value)
    match = _TIME.fullmatch(value)
    if match is None:
        raise ValueError(f"[{text}] is no time value: unit is missing or unrecognized")
    if "." in match[1]:
        raise ValueError(f"failed to parse [{text}], fractional time values are not supported")
    return int(int(match[1]) * _MILLIS[match[2].lower()])


def parse_bytes(text: str) -> int:
    """Bytes of a size such as `512mb`; `-1` and `0` need no unit. Raises ValueError."""
    value = text.strip()
    if value in ("-1", "0"):
        return int(value)
    match = _SIZE.fullmatch(value)
    if match is None:
        raise ValueError(f"[{text}] is no size in bytes: unit is missing or unrecognized")
    return int(float(match[1]) * 1024 ** _POWER[match[2][0].lower()])


def share_of(text: str, whole: int) -> int:
    """Bytes of a size, or of a share of the whole such as `60%` or `0.6`. Raises ValueError."""
    value = text.strip()
    if value.endswith("%"):
        return int(whole * float(value[:-1]) / 100)
    try:
        return int(whole * float(value))
    except ValueError:
        return parse_bytes(value)


def format_bytes(count: int) -> str:
    """`1.5gb`, as OpenSearch prints sizes."""
    for unit, name in ((1 << 50, "pb"), (1 << 40, "tb"), (1 << 30, "gb"), (1 << 20, "mb"), (1 << 10, "kb")):
        if count >= unit:
            return f"{_short(count / unit)}{name}"
    return f"{count}b"


def format_millis(millis: float) -> str:
    """`1.5s`, as OpenSearch prints durations."""
    for unit, name in ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")):
        if millis >= unit:
            return f"{_short(millis / unit)}{name}"
    if 0 < millis < 1:
        return f"{_short(millis * 1e3)}micros" if millis >= 1e-3 else f"{millis * 1e6:.0f}nanos"
    return f"{_short(millis)}ms"


def _short(value: float) -> str:
    text = f"{int(value * 10) / 10}"
    return text[:-2] if text.endswith(".0") else text
