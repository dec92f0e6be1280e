"""Query strings: decoding, typed values with OpenSearch's error texts, and the check for parameters nobody knows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from quidditch.model.errors import ApiError, illegal_argument

_BAD_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2})")
_TIME = re.compile(r"(-?\d+(?:\.\d+)?)\s*(nanos|micros|ms|s|m|h|d)", re.IGNORECASE)
_MAX_MILLIS = 1 << 62
_MILLIS = {"nanos": 1e-6, "micros": 1e-3, "ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def decode(text: str) -> str:
    """Percent-decodes one path segment or query component."""
    if "%" not in text:
        return text
    bad = _BAD_ESCAPE.search(text)
    if bad:
        raise illegal_argument(f"unterminated or invalid escape sequence at position [{bad.start()}] of [{text}]")
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        raise illegal_argument(f"[{text}] is not valid UTF-8 after percent decoding") from None


def parse_query(raw: str) -> dict[str, str]:
    """The parameters of a query string; of a repeated one the last counts."""
    return dict(_pairs(raw))


@lru_cache(maxsize=256)
def _pairs(raw: str) -> tuple[tuple[str, str], ...]:
    """Clients send few different query strings, and each of them again and again."""
    pieces = (piece.partition("=") for piece in raw.replace(";", "&").split("&") if piece)
    return tuple((decode(name.replace("+", " ")), decode(value.replace("+", " "))) for name, _, value in pieces)


def check_known(path: str, given: Iterable[str], known: frozenset[str]) -> None:
    """Raises for parameters that the endpoint does not have, with suggestions."""
    unknown = sorted(name for name in given if name not in known)
    if not unknown:
        return
    named = ", ".join(f"[{name}]{_suggestion(name, known)}" for name in unknown)
    plural = "s" if len(unknown) > 1 else ""
    raise illegal_argument(f"request [{path}] contains unrecognized parameter{plural}: {named}")


def _suggestion(name: str, known: frozenset[str]) -> str:
    near = sorted((-similarity(name, other), other) for other in known)
    close = [other for score, other in near if -score > 0.5]
    if not close:
        return ""
    what = f"[{close[0]}]" if len(close) == 1 else f"any of [{', '.join(close)}]"
    return f" -> did you mean {what}?"


def similarity(left: str, right: str) -> float:
    """1 minus the edit distance over the longer length."""
    if not left or not right:
        return 1.0 if left == right else 0.0
    row = list(range(len(right) + 1))
    for i, a in enumerate(left[:256], 1):
        previous, row[0] = row[0], i
        for j, b in enumerate(right, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (a != b))
    return 1.0 - row[-1] / max(len(left), len(right))


def to_bool(value: str) -> bool:
    """An empty value (`?pretty`) is true."""
    if value in ("true", ""):
        return True
    if value == "false":
        return False
    raise illegal_argument(f"Failed to parse value [{value}] as only [true] or [false] are allowed.")


def to_int(value: str, name: str, bits: int = 32) -> int:
    kind = "int" if bits == 32 else "long"
    try:
        if not re.fullmatch(r"[+-]?\d{1,19}", value, re.ASCII):
            raise ValueError
        number = int(value)
        if not -(1 << (bits - 1)) <= number < 1 << (bits - 1):
            raise ValueError
    except ValueError:
        cause = {"type": "number_format_exception", "reason": f'For input string: "{value}"'}
        reason = f"Failed to parse {kind} parameter [{name}] with value [{value}]"
        raise ApiError(400, "illegal_argument_exception", reason, {"caused_by": cause}) from None
    return number


def to_float(value: str, name: str) -> float:
    try:
        return float(value)
    except ValueError:
        cause = {"type": "number_format_exception", "reason": f'For input string: "{value}"'}
        reason = f"Failed to parse float parameter [{name}] with value [{value}]"
        raise ApiError(400, "illegal_argument_exception", reason, {"caused_by": cause}) from None


def to_millis(value: str, name: str) -> int:
    """A time value such as `30s` in milliseconds; -1 means none, 0 needs no unit."""
    text = value.strip()
    if text in ("-1", "0"):
        return int(text)
    match = _TIME.fullmatch(text)
    if match is None or (match[2] == "M"):
        raise illegal_argument(
            f"failed to parse setting [{name}] with value [{value}] as a time value: unit is missing or unrecognized"
        )
    if "." in match[1]:
        raise illegal_argument(f"failed to parse [{value}], fractional time values are not supported")
    number = int(match[1][:20])
    if number < -1:
        raise illegal_argument(
            f"failed to parse setting [{name}] with value [{value}] as a time value: "
            "negative durations are not supported"
        )
    return min(int(number * _MILLIS[match[2].lower()]), _MAX_MILLIS)
