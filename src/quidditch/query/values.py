"""Reading JSON values the way OpenSearch's parser coerces them: "5" is a number, 5 is a text, 1.7 is the integer 1."""

from __future__ import annotations

import math
from typing import Any

from quidditch.model.errors import ApiError
from quidditch.query.errors import Malformed

Json = Any
INT_MAX = 2**31 - 1
INT_MIN = -(2**31)


def token_name(value: Json) -> str:
    """The parser token that a value starts with, as error messages name it."""
    if isinstance(value, dict):
        return "START_OBJECT"
    if isinstance(value, list):
        return "START_ARRAY"
    if isinstance(value, str):
        return "VALUE_STRING"
    if isinstance(value, bool):
        return "VALUE_BOOLEAN"
    return "VALUE_NULL" if value is None else "VALUE_NUMBER"


def _json_token(value: Json) -> str:
    """The name of a token in complaints of the JSON parser itself."""
    if isinstance(value, bool):
        return "VALUE_TRUE" if value else "VALUE_FALSE"
    if isinstance(value, (int, float)):
        return "VALUE_NUMBER_INT" if isinstance(value, int) else "VALUE_NUMBER_FLOAT"
    return token_name(value)


def is_value(value: Json) -> bool:
    return not isinstance(value, (dict, list))


def text_of(value: Json) -> str:
    """The text of a scalar, numbers and booleans as Java prints them."""
    if isinstance(value, str):
        return value
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, float):
        return java_float(value)
    return str(value)


def java_float(value: float) -> str:
    """Double.toString."""
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if math.isnan(value):
        return "NaN"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        text = repr(value)
        return f"{value:.17f}".rstrip("0") if "e" in text else text
    mantissa, _, exponent = f"{value!r}".partition("e")
    if not exponent:
        digits = repr(value).replace(".", "").replace("-", "")
        power = math.floor(math.log10(abs(value)))
        digits = digits.strip("0") or "0"
        return f"{'-' if value < 0 else ''}{digits[0]}.{digits[1:] or '0'}E{power}"
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}E{int(exponent)}"


def read_text(value: Json, node: Json = None, key: str | int | None = None) -> str:
    if value is None or isinstance(value, (dict, list)):
        raise Malformed(f"Can't get text on a {token_name(value)}", node, key, type="illegal_argument_exception")
    return text_of(value)


def read_float(value: Json, node: Json = None, key: str | int | None = None) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        return parse_float(value)
    raise _not_numeric(value, node, key)


def parse_float(text: str) -> float:
    try:
        number = float(text.strip())
    except ValueError:
        raise number_format(text) from None
    if "_" in text:
        raise number_format(text)
    return number


def number_format(text: str) -> ApiError:
    reason = "empty String" if text == "" else f'For input string: "{text}"'
    return ApiError(400, "number_format_exception", reason)


def read_int(value: Json, node: Json = None, key: str | int | None = None) -> int:
    """A 32-bit integer; fractions are cut off."""
    return _read_integer(value, INT_MIN, INT_MAX, "int", node, key)


def read_long(value: Json, node: Json = None, key: str | int | None = None) -> int:
    """A 64-bit integer; fractions are cut off."""
    return _read_integer(value, -(2**63), 2**63 - 1, "long", node, key)


def _read_integer(value: Json, low: int, high: int, kind: str, node: Json, key: str | int | None) -> int:
    if isinstance(value, str):
        number = parse_float(value)
        if not math.isfinite(number) or not low <= number <= high:
            name = "an integer" if kind == "int" else "a long"
            raise ApiError(400, "illegal_argument_exception", f"Value [{value}] is out of range for {name}")
        return int(value) if value.lstrip("+-").isdigit() else int(number)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _not_numeric(value, node, key)
    if not math.isfinite(value) or not low <= value <= high:
        reason = f"Numeric value ({text_of(value)}) out of range of {kind} ({low} - {high})"
        raise Malformed(reason, node, key, type="input_coercion_exception")
    return int(value)


def read_bool(value: Json, node: Json = None, key: str | int | None = None) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        if value in ("true", "false"):
            return value == "true"
        reason = f"Failed to parse value [{value}] as only [true] or [false] are allowed."
        raise ApiError(400, "illegal_argument_exception", reason)
    reason = f"Current token ({_json_token(value)}) not of boolean type"
    raise Malformed(reason, node, key, type="json_parse_exception")


def _not_numeric(value: Json, node: Json, key: str | int | None) -> ApiError:
    reason = f"Current token ({_json_token(value)}) not numeric, can not use numeric value accessors"
    return Malformed(reason, node, key, type="json_parse_exception")


MAX_MILLIS = 2.0**62
"""Longer times are as good as endless, as in OpenSearch."""
_UNITS = {"nanos": 1e-6, "micros": 1e-3, "ms": 1.0, "s": 1e3, "m": 60e3, "h": 3600e3, "d": 86400e3}


def time_ms(text: str, setting: str) -> float:
    """Milliseconds of a time value such as `30s`; `-1` means none. Raises as OpenSearch's TimeValue."""
    lowered = text.strip().lower() if not text.strip().endswith("M") else text.strip()
    if lowered in ("-1", "0"):
        return float(lowered)
    for unit in ("nanos", "micros", "ms", "s", "m", "h", "d"):
        if lowered.endswith(unit):
            return min(_amount(text, lowered[: -len(unit)].strip(), setting) * _UNITS[unit], MAX_MILLIS)
    reason = f"failed to parse setting [{setting}] with value [{text}] as a time value: unit is missing or unrecognized"
    raise ApiError(400, "illegal_argument_exception", reason)


def _amount(text: str, digits: str, setting: str) -> float:
    try:
        amount = float(digits)
    except ValueError:
        reason = f"failed to parse [{text}]"
        raise ApiError(400, "illegal_argument_exception", reason) from None
    if not digits.lstrip("-").isdigit():
        reason = f"failed to parse [{text}], fractional time values are not supported"
        raise ApiError(400, "illegal_argument_exception", reason)
    if amount < -1:
        reason = f"failed to parse setting [{setting}] with value [{text}] as a time value: negative durations are not supported"
        raise ApiError(400, "illegal_argument_exception", reason)
    return amount
