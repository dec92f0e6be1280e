"""range and date_range: a bucket for each range given."""

from __future__ import annotations

from typing import Any

from quidditch.query.aggs.metrics import NUMBERS
from quidditch.query.aggs.spec import VALUES, AggSpec, Reader, flag, json, resolve_field, time_zone
from quidditch.query.context import QueryContext
from quidditch.query.errors import shard_argument, x_content
from quidditch.query.fields import DATES, DEFAULT_DATE_FORMAT
from quidditch.query.values import read_float, read_text, token_name

_RANGE: dict[str, Reader] = {**VALUES, "ranges": json, "keyed": flag}
_DATE: dict[str, Reader] = {**_RANGE, "time_zone": time_zone}


def range_agg(spec: AggSpec, ctx: QueryContext) -> dict[str, Any]:
    found = spec.read(_RANGE)
    ranges = read_ranges(spec, found)
    found["ranges"] = [_numbers(item) for item in ranges]
    resolve_field(spec, found, ctx, NUMBERS)
    return found


def date_range(spec: AggSpec, ctx: QueryContext) -> dict[str, Any]:
    found = spec.read(_DATE)
    ranges = read_ranges(spec, found)
    field = resolve_field(spec, found, ctx, DATES)
    format = found.get("format") or (field.format if field is not None else None) or DEFAULT_DATE_FORMAT
    found["ranges"] = [_dates(item, format, found.get("time_zone"), ctx) for item in ranges]
    return found


def read_ranges(
    spec: AggSpec, found: dict[str, Any], keys: tuple[str, ...] = ("from", "to", "key")
) -> list[dict[str, Any]]:
    """The ranges as written, each an object of known members."""
    ranges = found.get("ranges")
    found.setdefault("keyed", False)
    if ranges is None or ranges == []:
        raise shard_argument(f"No [ranges] specified for the [{spec.name}] aggregation")
    if not isinstance(ranges, list):
        raise x_content(
            f"[{spec.kind}] ranges doesn't support values of type: {token_name(ranges)}", spec.body, "ranges", "value"
        )
    for number, item in enumerate(ranges):
        if not isinstance(item, dict):
            raise x_content(f"[{spec.kind}] failed to parse field [ranges]", ranges, number, "value")
        for key in item:
            if key not in keys:
                raise spec.failed("ranges", x_content(f"[range] unknown field [{key}]", item, key))
        if item.get("key") is not None:
            read_text(item["key"], item, "key")
    return ranges


def _numbers(item: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"key": item.get("key")}
    for name in ("from", "to"):
        found[name] = read_float(item[name], item, name) if item.get(name) is not None else None
    return found


def _dates(item: dict[str, Any], format: str, zone: str | None, ctx: QueryContext) -> dict[str, Any]:
    found: dict[str, Any] = {"key": item.get("key")}
    for name in ("from", "to"):
        value = item.get(name)
        if value is None:
            found[name] = None
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            # A number is what the format makes of it: seconds, milliseconds, a year.
            found[name] = ctx.date(str(int(value)), format, False, zone, False)
        else:
            found[name] = ctx.date(read_text(value, item, name), format, False, zone, False)
    return found
