"""composite: the combinations of the values of several sources, page by page."""

from __future__ import annotations

from typing import Any

from quidditch.model.errors import ApiError
from quidditch.query.aggs.date_histogram import date_source
from quidditch.query.aggs.metrics import NUMBERS
from quidditch.query.aggs.spec import (
    VALUES,
    AggSpec,
    Reader,
    bound,
    double,
    flag,
    integer,
    json,
    resolve_field,
    text,
    time_zone,
)
from quidditch.query.context import Field, QueryContext
from quidditch.query.errors import argument, shard_argument, x_content
from quidditch.query.fields import DATES

_PARAMS: dict[str, Reader] = {"sources": json, "size": integer, "after": json}
_SOURCE: dict[str, Reader] = {
    **{key: reader for key, reader in VALUES.items() if key != "missing"},
    "missing_bucket": flag,
    "missing_order": text,
    "order": text,
}
_KINDS: dict[str, dict[str, Reader]] = {
    "terms": _SOURCE,
    "histogram": {**_SOURCE, "interval": double},
    "date_histogram": {
        **_SOURCE,
        "interval": json,
        "calendar_interval": text,
        "fixed_interval": text,
        "time_zone": time_zone,
        "offset": json,
    },
}


def composite(spec: AggSpec, ctx: QueryContext) -> dict[str, Any]:
    found = spec.read(_PARAMS)
    size = found.setdefault("size", 10)
    if size < 0:
        raise shard_argument("[size] must be greater than 0")
    limit = ctx.settings.max_buckets
    if size > limit:
        raise ApiError(
            503,
            "too_many_buckets_exception",
            f"Trying to create too many buckets. Must be less than or equal to: [{limit}] but was [{size}]. This limit can be set by "
            "changing the [search.max_buckets] cluster level setting.",
        )
    if "sources" not in found:
        raise argument("Required [sources]")
    sources = found["sources"]
    if not isinstance(sources, list) or not sources:
        raise argument("Composite [sources] cannot be null or empty")
    read = [_source(spec, item, ctx) for item in sources]
    names = [source["name"] for source, _ in read]
    if len(set(names)) != len(names):
        duplicates = sorted({name for name in names if names.count(name) > 1})
        raise argument(f"Composite source names must be unique, found duplicates: [{', '.join(duplicates)}]")
    found["sources"] = [source for source, _ in read]
    if "after" in found:
        found["after"] = _after(found["after"], read, ctx)
    return found


def _source(spec: AggSpec, item: Any, ctx: QueryContext) -> tuple[dict[str, Any], Field | None]:
    if not isinstance(item, dict) or len(item) != 1:
        raise x_content("[composite] failed to parse field [sources]", spec.body, "sources", "value")
    name, body = next(iter(item.items()))
    if not isinstance(body, dict) or len(body) != 1:
        raise x_content("[composite] failed to parse field [sources]", item, str(name), "value")
    kind, params = next(iter(body.items()))
    readers = _KINDS.get(kind)
    if readers is None:
        raise argument(f"invalid source type: {kind}")
    inner = AggSpec(str(name), kind, params)
    found = inner.read(readers)
    found["order"] = _choice(inner, found, "order", ("asc", "desc"), "asc")
    found["missing_order"] = _choice(inner, found, "missing_order", ("first", "last", "default"), "default")
    if kind == "histogram" and not found.get("interval", 0) > 0:
        raise argument("[interval] must be greater than 0 for [histogram] source")
    if kind == "date_histogram":
        date_source(inner, found)
    found["format_given"] = "format" in found
    field = resolve_field(inner, found, ctx, None if kind == "terms" else NUMBERS)
    return {"name": inner.name, "kind": kind, "params": found}, field


def _choice(spec: AggSpec, found: dict[str, Any], key: str, known: tuple[str, ...], default: str) -> str:
    value = str(found.get(key, default)).lower()
    if value not in known:
        raise spec.failed(key, argument(f"Unknown {key.replace('_', ' ')} [{found[key]}]"))
    return value


def _after(after: Any, sources: list[tuple[dict[str, Any], Field | None]], ctx: QueryContext) -> list[Any]:
    if not isinstance(after, dict):
        raise argument("[after] must be an object")
    if len(after) != len(sources):
        raise argument(f"[after] has {len(after)} value(s) but [sources] has {len(sources)}")
    values = []
    for source, field in sources:
        name, params = source["name"], source["params"]
        if name not in after:
            raise argument(f"Missing value for [after.{name}]")
        value = after[name]
        if value is None and not params.get("missing_bucket"):
            raise argument(f"Missing value for [after.{name}]")
        if value is not None and field is not None and source["kind"] != "histogram":
            value = _typed(field, value, params, ctx)
        values.append(value)
    return values


def _typed(field: Field, value: Any, params: dict[str, Any], ctx: QueryContext) -> Any:
    if field.type in DATES and isinstance(value, str):
        given = params.get("format") if params["format_given"] else None
        return ctx.date(
            value, given or "epoch_millis||strict_date_optional_time", False, params.get("time_zone"), False
        )
    return bound(field, value, ctx)
