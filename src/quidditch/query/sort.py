"""Sort keys: every form of `sort`, resolved against the mapping; and `search_after` in the columns' units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quidditch.model.errors import ApiError
from quidditch.query.compiler import compile_filter
from quidditch.query.context import Field, QueryContext
from quidditch.query.errors import (
    Malformed,
    QueryFault,
    ShardError,
    argument,
    did_you_mean,
    failed_field,
    shard_argument,
    x_content,
)
from quidditch.query.fetch import no_doc_values
from quidditch.query.fields import DATES, FLOATS, INTEGERS, NUMERIC, TYPES, boolean_of, ip_of
from quidditch.query.values import read_int, read_text, text_of, token_name

SortKey = dict[str, Any]
PLACE = "_shard_doc"
_FIELD_KEYS = (
    "missing",
    "unmapped_type",
    "order",
    "mode",
    "nested",
    "numeric_type",
    "format",
    "nested_path",
    "nested_filter",
)
_MODES = ("min", "max", "sum", "avg", "median")
_META = {"_id", "_index", "_seq_no", "_version", "_primary_term", "_routing"}


def sort_plan(items: Sequence[Any] | None, ctx: QueryContext) -> list[SortKey] | None:
    """The keys; None for the order by descending score."""
    if items is None:
        return None
    keys: list[SortKey] = []
    for item in items:
        if isinstance(item, str):
            keys.extend(_placed(item, _key(item, None, ctx)))
        elif isinstance(item, dict):
            for name, spec in item.items():
                keys.extend(_placed(name, _spec(name, spec, item, ctx)))
        else:
            reason = "malformed sort format, within the sort array, an object, or an actual string are allowed"
            raise argument(reason)
    if not keys or keys == [{"kind": "score", "order": "desc"}]:
        return None
    return keys


def _placed(name: str, key: SortKey) -> list[SortKey]:
    """The order of documents means something within a shard only: of a point in time, `_shard_doc` orders by the shard first.

    The shard is a field that nothing has; what stands for it is given by :func:`at_place`.
    """
    if name != PLACE:
        return [key]
    return [{**key, "kind": "field", "field": PLACE, "unmapped_type": "long", "missing": 0}, key]


def at_place(keys: Sequence[SortKey], place: int) -> list[SortKey]:
    """The keys for the shard at this place of a point in time."""
    return [{**key, "missing": place} if key.get("field") == PLACE else key for key in keys]


def _spec(name: str, spec: Any, item: dict[str, Any], ctx: QueryContext) -> SortKey:
    if isinstance(spec, dict):
        if name == "_script":
            raise argument("[_script] sorts are not supported")
        if name in ("_geo_distance", "_geoDistance"):
            raise argument("[_geo_distance] sorts are not supported")
        return _key(name, spec, ctx)
    if isinstance(spec, list) or spec is None:
        reason = f"malformed sort format, an object or the order is expected, found [{token_name(spec)}]"
        raise Malformed(reason, item, name, type="illegal_argument_exception")
    return _key(name, {"order": text_of(spec)}, ctx, bare=True)


def _order(spec: dict[str, Any], default: str, bare: bool = False) -> str:
    if spec.get("order") is None:
        return default
    order = read_text(spec["order"], spec, "order").lower()
    if order not in ("asc", "desc"):
        wrong = argument(f"No enum constant org.opensearch.search.sort.SortOrder.{order.upper()}")
        raise wrong if bare else failed_field("field_sort", "order", wrong, spec)
    return order


def _key(name: str, spec: dict[str, Any] | None, ctx: QueryContext, bare: bool = False) -> SortKey:
    spec = spec or {}
    if name == "_score":
        for key in spec:
            if key != "order":
                raise x_content(f"[_score] unknown field [{key}]{did_you_mean(key, ('order',))}", spec, key)
        return {"kind": "score", "order": _order(spec, "desc")}
    for key in spec:
        if key not in _FIELD_KEYS:
            raise x_content(f"[field_sort] unknown field [{key}]{did_you_mean(key, _FIELD_KEYS)}", spec, key)
    order = _order(spec, "asc", bare)
    mode = _mode(spec)
    if name in ("_doc", "_shard_doc"):
        return {"kind": "doc", "order": order}
    for old in ("nested_path", "nested_filter"):
        if old in spec:
            raise argument(f"[{old}] has been removed in favour of the [nested] parameter")
    return _field_key(name, spec, order, mode, ctx)


def _mode(spec: dict[str, Any]) -> str | None:
    if spec.get("mode") is None:
        return None
    mode = read_text(spec["mode"], spec, "mode").lower()
    if mode not in _MODES:
        raise failed_field("field_sort", "mode", argument(f"Unknown SortMode [{mode}]"), spec)
    return mode


def _field_key(name: str, spec: dict[str, Any], order: str, mode: str | None, ctx: QueryContext) -> SortKey:
    missing = spec.get("missing")
    key: SortKey = {"kind": "field", "field": name, "order": order, "missing": "_last" if missing is None else missing}
    if mode is not None:
        key["mode"] = mode
    if name in _META:
        return key
    field = ctx.field(name)
    if field is None:
        kind = spec.get("unmapped_type")
        if kind is None:
            raise ctx.shard_error(f"No mapping found for [{name}] in order to sort on")
        unmapped = read_text(kind)
        if unmapped not in TYPES:
            raise shard_argument(f"No mapper found for type [{unmapped}]")
        if unmapped in NUMERIC and missing not in (None, "_last", "_first"):
            key["missing"] = _number_for_missing(missing)
        return {**key, "unmapped_type": unmapped}
    if not field.doc_values and not field.params.get("fielddata"):
        raise no_doc_values(field)
    if mode in ("sum", "avg", "median") and field.type not in NUMERIC and field.type not in DATES:
        raise ctx.shard_error("we only support AVG, MEDIAN and SUM on number based fields")
    key["field"] = field.path
    _numeric_type(spec, field, key, ctx)
    if missing not in (None, "_last", "_first"):
        key["missing"] = _missing(field, missing, ctx)
    nested = _nested(spec, ctx)
    if nested is not None:
        key["nested"] = nested
    if field.type in DATES:
        key["format"] = spec.get("format")
    return key


def _numeric_type(spec: dict[str, Any], field: Field, key: SortKey, ctx: QueryContext) -> None:
    kind = spec.get("numeric_type")
    if kind is None:
        return
    name = read_text(kind, spec, "numeric_type")
    if name not in ("long", "double", "date", "date_nanos", "unsigned_long"):
        raise failed_field(
            "field_sort",
            "numeric_type",
            argument(f"invalid value for [numeric_type], must be [long, double, date, date_nanos], got {name}"),
            spec,
        )
    if field.type not in NUMERIC and field.type not in DATES:
        raise ctx.shard_error(f"[numeric_type] option cannot be set on a non-numeric field, got {field.type}")
    key["numeric_type"] = name


def _number_for_missing(value: Any) -> Any:
    try:
        return value if isinstance(value, int | float) else float(value)
    except (ValueError, TypeError):
        raise ShardError(400, "number_format_exception", f'For input string: "{value}"') from None


def _missing(field: Field, value: Any, ctx: QueryContext) -> Any:
    try:
        return column_value(field, value, ctx, None)
    except QueryFault as fault:
        raise ShardError(400, fault.type, fault.reason) from None


def _nested(spec: dict[str, Any], ctx: QueryContext) -> dict[str, Any] | None:
    given = spec.get("nested")
    if given is not None:
        if not isinstance(given, dict):
            raise Malformed(f"[nested] malformed, found [{token_name(given)}]", spec, "nested")
        return _nested_sort(given, ctx)
    # Without it the values are those of the document itself: nested ones count as missing.
    return None


def _nested_sort(spec: dict[str, Any], ctx: QueryContext) -> dict[str, Any]:
    for key in spec:
        if key not in ("path", "filter", "max_children", "nested"):
            wrong = argument(f"malformed nested sort format, unknown field name [{key}]")
            raise failed_field("field_sort", "nested", wrong, spec)
    if spec.get("path") is None:
        raise argument("Required [path]")
    path = read_text(spec["path"], spec, "path")
    if path not in ctx.mapping.nested_paths:
        raise ctx.shard_error(f"[nested] failed to find nested object under path [{path}]")
    ctx.nested_scope.append(path)
    try:
        condition = compile_filter(spec["filter"], ctx, spec, "filter") if spec.get("filter") is not None else None
        inner = _nested_sort(spec["nested"], ctx) if isinstance(spec.get("nested"), dict) else None
    finally:
        ctx.nested_scope.pop()
    found: dict[str, Any] = {"path": path, "filter": condition, "nested": inner}
    if "max_children" in spec:
        found["max_children"] = read_int(spec["max_children"], spec, "max_children")
    return found


def column_value(field: Field, value: Any, ctx: QueryContext, format: str | None) -> Any:
    """A value in the unit of the field's column."""
    kind = field.type
    if kind in DATES:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        text = text_of(value)
        return ctx.date(
            text, format or field.format or "strict_date_optional_time||epoch_millis", False, None, kind == "date_nanos"
        )
    if kind in INTEGERS:
        return _whole(kind, value)
    if kind in FLOATS:
        return _number(value)
    if kind == "boolean":
        return bool(value) if isinstance(value, int) else boolean_of(value)
    if kind == "ip":
        return ip_of(text_of(value))
    return text_of(value)


def _whole(kind: str, value: Any) -> int | float:
    number = _number(value)
    if isinstance(value, str) and value.lstrip("-").isdigit():
        return int(value)
    if isinstance(value, int):
        return value
    low, high, _ = INTEGERS[kind]
    if number != number or number in (float("inf"), float("-inf")):
        return high if number > 0 else low
    return int(number) if number == int(number) else number


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise QueryFault(f'For input string: "{text_of(value)}"', "number_format_exception") from None


def search_after_plan(values: list[Any], keys: list[SortKey] | None, ctx: QueryContext) -> list[Any]:
    """The values of the last hit, one for each key, in the columns' units."""
    if keys is None:
        keys = [{"kind": "score"}]
    if len(values) != len(keys):
        raise shard_argument(f"search_after has {len(values)} value(s) but sort has {len(keys)}.")
    return [_after(value, key, ctx) for value, key in zip(values, keys, strict=True)]


def _after(value: Any, key: SortKey, ctx: QueryContext) -> Any:
    if value is None:
        return None
    if key["kind"] != "field":
        try:
            return _number(value) if key["kind"] == "score" else int(_number(value))
        except (QueryFault, OverflowError, ValueError):
            raise shard_argument(f"Failed to parse search_after value for field [_{key['kind']}].") from None
    field = ctx.field(key["field"])
    if field is None:
        return value
    try:
        if key.get("numeric_type") == "double":
            return _number(value)
        return column_value(field, value, ctx, key.get("format"))
    except ApiError as error:
        raise ShardError(error.status, error.type, error.reason, error.details) from None
    except QueryFault as error:
        cause = {"type": error.type, "reason": error.reason}
        raised = shard_argument(f"Failed to parse search_after value for field [{field.path}].")
        raised.details["caused_by"] = cause
        raise raised from None
