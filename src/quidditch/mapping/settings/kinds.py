"""Kinds of settings: what a `Setting` is, and parsers for numbers, booleans, times, sizes, choices and lists."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from quidditch.mapping.settings.units import format_bytes, format_time, parse_bytes, parse_time
from quidditch.model.errors import ApiError, illegal_argument

Value: TypeAlias = str | list[str]
"""A stored setting: text, or a list of texts."""
Parse: TypeAlias = Callable[[str, Value], Any]
"""(key, stored value) → typed value; raises illegal_argument_exception."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One index setting.

    `dynamic` may change on an open index, others on a closed one, `final` never; `private` is managed by the server.
    A key that ends in `*` stands for a group. `default` is as `include_defaults` shows it; None has none to show.
    """

    key: str
    parse: Parse
    default: Value | None = None
    dynamic: bool = False
    final: bool = False
    private: bool = False


def scalar(key: str, value: Value) -> str:
    if isinstance(value, list):
        raise illegal_argument(f"Failed to parse value [[{', '.join(value)}]] for setting [{key}]")
    return value


def _not_a_number(key: str, text: str) -> ApiError:
    cause = {"type": "number_format_exception", "reason": f'For input string: "{text}"'}
    return ApiError(
        400,
        "illegal_argument_exception",
        f"Failed to parse value [{text}] for setting [{key}]",
        {"caused_by": cause},
    )


def _bounded(key: str, text: str, number: float, low: float | None, high: float | None) -> None:
    if low is not None and number < low:
        raise illegal_argument(f"Failed to parse value [{text}] for setting [{key}] must be >= {low}")
    if high is not None and number > high:
        raise illegal_argument(f"Failed to parse value [{text}] for setting [{key}] must be <= {high}")


def integer(low: int | None = None, high: int | None = None, wide: bool = False) -> Parse:
    """A 32-bit number, or `wide` a 64-bit one."""

    def parse(key: str, value: Value) -> int:
        text = scalar(key, value)
        try:
            number = int(text)
        except ValueError:
            raise _not_a_number(key, text) from None
        if not (-(2**31) <= number < 2**31 or (wide and -(2**63) <= number < 2**63)):
            raise _not_a_number(key, text)
        _bounded(key, text, number, low, high)
        return number

    return parse


def decimal(low: float | None = None, high: float | None = None) -> Parse:
    def parse(key: str, value: Value) -> float:
        text = scalar(key, value)
        try:
            number = float(text)
        except ValueError:
            raise _not_a_number(key, text) from None
        _bounded(key, text, number, low, high)
        return number

    return parse


def boolean(key: str, value: Value) -> bool:
    text = scalar(key, value)
    if text not in ("true", "false"):
        raise illegal_argument(f"Failed to parse value [{text}] as only [true] or [false] are allowed.")
    return text == "true"


def time(low: float | None = None, high: float | None = None) -> Parse:
    """Milliseconds. `low` and `high` in milliseconds."""

    def parse(key: str, value: Value) -> float:
        text = scalar(key, value)
        millis = parse_time(text, key)
        if low is not None and millis < low:
            bound = "-1" if low == -1 else format_time(low)
            raise illegal_argument(f"failed to parse value [{text}] for setting [{key}], must be >= [{bound}]")
        if high is not None and millis > high:
            raise illegal_argument(f"failed to parse value [{text}] for setting [{key}], must be <= [{high:.0f}ms]")
        return millis

    return parse


def size(low: int | None = None, high: int | None = None) -> Parse:
    """Bytes."""

    def parse(key: str, value: Value) -> int:
        text = scalar(key, value)
        number = parse_bytes(text, key)
        if low is not None and number < low:
            bound = format_bytes(low)
            raise illegal_argument(f"failed to parse value [{text}] for setting [{key}], must be >= [{bound}]")
        if high is not None and number > high:
            bound = format_bytes(high)
            raise illegal_argument(f"failed to parse value [{text}] for setting [{key}], must be <= [{bound}]")
        return number

    return parse


def text(key: str, value: Value) -> str:
    return scalar(key, value)


def texts(_key: str, value: Value) -> list[str]:
    """A list, or a text of comma-separated items."""
    return list(value) if isinstance(value, list) else [item.strip() for item in value.split(",") if item.strip()]


def anything(_key: str, value: Value) -> Value:
    return value


def choice(*choices: str, problem: str, fold: Callable[[str], str] = str) -> Parse:
    """`problem` is the error text, with `{value}` (folded) and `{key}`."""

    def parse(key: str, value: Value) -> str:
        folded = fold(scalar(key, value))
        if folded not in choices:
            raise illegal_argument(problem.format(key=key, value=folded))
        return folded

    return parse


def one_of(*choices: str) -> Parse:
    listed = ", ".join(choices)
    return choice(*choices, problem="unknown value for [{key}] must be one of [" + listed + "] but was: {value}")
