"""How Java reads and prints the values of a mapping: lenient booleans and numbers, `toString`, class names.

OpenSearch's error texts print values as Java does (`{a=b}`, `null`), and its parameters take `"true"` for `true`.
"""

from __future__ import annotations

import math
from typing import Any

from quidditch.model.errors import ApiError, illegal_argument

INT_MIN, INT_MAX = -(2**31), 2**31 - 1


def java_str(value: Any) -> str:
    """`value` as Java's `toString` prints it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={java_str(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(java_str(item) for item in value) + "]"
    return str(value)


def java_class(value: Any) -> str:
    """The Java class that a JSON value is parsed into, as an error text names it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "class java.lang.Boolean"
    if isinstance(value, int):
        return "class java.lang.Integer" if INT_MIN <= value <= INT_MAX else "class java.lang.Long"
    names = {str: "class java.lang.String", float: "class java.lang.Double", list: "class java.util.ArrayList"}
    return names.get(type(value), "class java.util.LinkedHashMap")


def to_bool(value: Any, name: str | None = None) -> bool:
    """Strict boolean.

    `true`, `false` and their texts. With a `name` the error names the parameter instead of the value.
    """
    if isinstance(value, bool):
        return value
    text = java_str(value)
    if text == "true":
        return True
    if text == "false" or text == "":
        return False
    problem = illegal_argument(f"Failed to parse value [{text}] as only [true] or [false] are allowed.")
    if name is not None:
        details = {"caused_by": problem.body()}
        raise ApiError(400, "illegal_argument_exception", f"Could not convert [{name}] to boolean", details)
    raise problem


def number_format(text: Any) -> ApiError:
    """What Java says of a text that is no number."""
    return ApiError(400, "number_format_exception", f'For input string: "{java_str(text)}"')


def to_int(value: Any) -> int:
    """A 32-bit integer from a number or its text; fractions are cut off as Java's `intValue` does."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise number_format(value)
    if isinstance(value, float):
        number = int(value) if math.isfinite(value) else 0
    elif isinstance(value, str):
        number = _int_of(value)
    else:
        number = value
    if not INT_MIN <= number <= INT_MAX:
        raise number_format(value)
    return number


def _int_of(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise number_format(text) from None


def to_float(value: Any) -> float:
    if not isinstance(value, bool) and isinstance(value, int | float | str):
        try:
            return float(value)
        except (ValueError, OverflowError):
            pass
    raise number_format(value)
