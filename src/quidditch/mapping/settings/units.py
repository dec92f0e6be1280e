"""Time values (`30s`) and byte sizes (`512mb`) in settings, with OpenSearch's units and errors."""

from __future__ import annotations

from quidditch.model.errors import ApiError, illegal_argument

_TIME_UNITS: tuple[tuple[str, float], ...] = (
    ("nanos", 1e-6),
    ("micros", 1e-3),
    ("ms", 1.0),
    ("s", 1000.0),
    ("m", 60_000.0),
    ("h", 3_600_000.0),
    ("d", 86_400_000.0),
)
_BYTE_UNITS: tuple[tuple[str, int], ...] = tuple(
    (unit, 1024**power)
    for power, units in enumerate((("kb", "k"), ("mb", "m"), ("gb", "g"), ("tb", "t"), ("pb", "p")), 1)
    for unit in units
)


def parse_time(text: str, setting: str) -> float:
    """Milliseconds; -1 stands for never. Raises illegal_argument_exception naming the setting."""
    normalized = text.strip().lower()
    for unit, millis in _TIME_UNITS:
        if normalized.endswith(unit) and not (unit == "s" and normalized.endswith(("nanos", "micros", "ms"))):
            return _amount(normalized[: -len(unit)].strip(), text, setting) * millis
    if normalized in ("-1", "0", "-0"):
        return float(normalized) + 0.0
    raise illegal_argument(
        f"failed to parse setting [{setting}] with value [{text}] as a time value: unit is missing or unrecognized"
    )


def _amount(number: str, text: str, setting: str) -> int:
    try:
        amount = int(number)
    except ValueError:
        try:
            float(number)
        except ValueError:
            raise illegal_argument(f"failed to parse [{text}]") from None
        raise illegal_argument(f"failed to parse [{text}], fractional time values are not supported") from None
    if amount == -1:
        return amount
    if amount < 0:
        raise illegal_argument(
            f"failed to parse setting [{setting}] with value [{text}] as a time value: "
            "negative durations are not supported"
        )
    return amount


def parse_bytes(text: str, setting: str) -> int:
    """Bytes; -1 stands for unlimited."""
    normalized = text.strip().lower()
    if normalized in ("-1", "0"):
        return int(normalized)
    for unit, factor in (*_BYTE_UNITS, ("b", 1)):
        if normalized.endswith(unit) and (unit != "b" or normalized[-2:-1].isdigit() or normalized[-2:-1] == " "):
            return _size(normalized[: -len(unit)].strip(), factor, text)
    raise _bad_size(text, setting, "unit is missing or unrecognized")


def _size(number: str, factor: int, text: str) -> int:
    try:
        return int(number) * factor
    except ValueError:
        pass
    try:
        return int(float(number) * factor)
    except (ValueError, OverflowError):
        reason = f"failed to parse [{text}]"
        cause = {"type": "parse_exception", "reason": reason}
        raise ApiError(400, "illegal_argument_exception", reason, {"caused_by": cause}) from None


def _bad_size(text: str, setting: str, problem: str) -> ApiError:
    reason = f"failed to parse setting [{setting}] with value [{text}] as a size in bytes: {problem}"
    cause = {"type": "parse_exception", "reason": reason}
    return ApiError(400, "illegal_argument_exception", reason, {"caused_by": cause})


def format_bytes(size: int) -> str:
    """As Java's ByteSizeValue prints a bound: the largest unit, one decimal."""
    for unit, factor in (("pb", 1024**5), ("tb", 1024**4), ("gb", 1024**3), ("mb", 1024**2), ("kb", 1024)):
        if size >= factor:
            return f"{_decimal(size / factor)}{unit}"
    return f"{size}b"


def format_time(millis: float) -> str:
    for unit, factor in (("d", 86_400_000.0), ("h", 3_600_000.0), ("m", 60_000.0), ("s", 1000.0)):
        if millis >= factor:
            return f"{_decimal(millis / factor)}{unit}"
    return f"{_decimal(millis)}ms"


def _decimal(number: float) -> str:
    text = f"{int(number * 10) / 10}"
    return text.removesuffix(".0")
