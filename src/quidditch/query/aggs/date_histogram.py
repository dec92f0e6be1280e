"""date_histogram: buckets of calendar or fixed time."""

from __future__ import annotations

import re
from typing import Any

from quidditch.query.aggs.histogram import bound_members, check_bounds, check_min_doc_count
from quidditch.query.aggs.spec import (
    VALUES,
    AggSpec,
    Reader,
    flag,
    json,
    long,
    read_order,
    resolve_field,
    text,
    time_zone,
)
from quidditch.query.context import QueryContext
from quidditch.query.errors import argument, shard_argument, x_content
from quidditch.query.fields import DATES, DEFAULT_DATE_FORMAT
from quidditch.query.values import read_long, read_text, text_of, time_ms


def read_offset(value: Any) -> int:
    """`+6h`, `-1d` or milliseconds."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return read_long(value)
    given = text_of(value)
    if given.startswith(("+", "-")):
        sign = -1 if given[0] == "-" else 1
        return sign * int(time_ms(given[1:], "DateHistogramAggregationBuilder.parseOffset"))
    return int(time_ms(given, "DateHistogramAggregationBuilder.parseOffset"))


_PARAMS: dict[str, Reader] = {
    **VALUES,
    "interval": json,
    "calendar_interval": text,
    "fixed_interval": text,
    "time_zone": time_zone,
    "offset": read_offset,
    "min_doc_count": long,
    "keyed": flag,
    "order": read_order,
    "extended_bounds": json,
    "hard_bounds": json,
}
CALENDAR = {
    "second": "second",
    "1s": "second",
    "minute": "minute",
    "1m": "minute",
    "hour": "hour",
    "1h": "hour",
    "day": "day",
    "1d": "day",
    "week": "week",
    "1w": "week",
    "month": "month",
    "1M": "month",
    "quarter": "quarter",
    "1q": "quarter",
    "year": "year",
    "1y": "year",
}
_FIXED = re.compile(r"\d+(ms|s|m|h|d)\Z")


def date_histogram(spec: AggSpec, ctx: QueryContext) -> dict[str, Any]:
    found = spec.read(_PARAMS)
    _interval(spec, found)
    check_min_doc_count(spec, found)
    found.setdefault("offset", 0)
    pairs = {
        key: bound_members(spec, key, found[key], "long") for key in ("extended_bounds", "hard_bounds") if key in found
    }
    found.setdefault("keyed", False)
    found.setdefault("order", [["_key", "asc"]])
    field = resolve_field(spec, found, ctx, DATES | {"boolean", "long", "integer", "double"})
    format = found.get("format") or (field.format if field is not None else None) or DEFAULT_DATE_FORMAT
    for key, pair in pairs.items():
        found[key] = {name: _edge(edge, format, found.get("time_zone"), ctx) for name, edge in pair.items()}
    check_bounds(found)
    return found


def date_source(spec: AggSpec, found: dict[str, Any]) -> None:
    """The interval and offset of a source of `composite`, in place."""
    _interval(spec, found)
    found["offset"] = read_offset(found.get("offset", 0))


def _interval(spec: AggSpec, found: dict[str, Any]) -> None:
    given = [key for key in found if key in ("interval", "calendar_interval", "fixed_interval")]
    if not given:
        raise shard_argument("Invalid interval specified, must be non-null and non-empty")
    if len(given) > 1:
        last = given[-1]
        other = given[0]
        raise spec.failed(last, argument(f"Cannot use [{last}] with [{other}] configuration option."))
    key = given[0]
    value = found.pop(key)
    if key == "calendar_interval":
        if value not in CALENDAR:
            reason = f"The supplied interval [{value}] could not be parsed as a calendar interval."
            raise spec.failed(key, argument(reason))
        found["calendar_interval"] = CALENDAR[value]
    elif key == "fixed_interval":
        found["fixed_interval"] = _fixed_ms(spec, key, value)
    else:
        _legacy_interval(spec, found, value)


def _legacy_interval(spec: AggSpec, found: dict[str, Any], value: Any) -> None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if value < 1:
            raise spec.failed("interval", argument("[interval] must be 1 or greater for aggregation [date_histogram]"))
        found["fixed_interval"] = read_long(value)
        return
    value = read_text(value)
    if value in CALENDAR:
        found["calendar_interval"] = CALENDAR[value]
    else:
        found["fixed_interval"] = _fixed_ms(spec, "interval", value)


def _fixed_ms(spec: AggSpec, key: str, value: str) -> int:
    if not _FIXED.match(value):
        setting = "date_histogram.fixedInterval"
        reason = (
            f"failed to parse setting [{setting}] with value [{value}] as a time value: unit is missing or unrecognized"
        )
        raise spec.failed(key, argument(reason))
    milliseconds = int(time_ms(value, "date_histogram.fixed_interval"))
    if milliseconds < 1:
        raise shard_argument("Zero or negative time interval not supported")
    return milliseconds


def _edge(value: Any, format: str, zone: str | None, ctx: QueryContext) -> int:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return read_long(value)
    if not isinstance(value, str):
        raise x_content("[bounds] a date or a number is expected")
    return ctx.date(value, format, False, zone, False)
