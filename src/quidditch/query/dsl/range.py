"""range: values between bounds; dates with date math, format and time zone."""

from __future__ import annotations

from typing import Any

from quidditch.query import ops
from quidditch.query.compiler import unsupported
from quidditch.query.context import Field, QueryContext
from quidditch.query.dsl.single import dressed
from quidditch.query.errors import Malformed, QueryFault, ShardError, argument
from quidditch.query.fields import (
    DATES,
    FLOATS,
    INTEGERS,
    STRINGS,
    boolean_of,
    check_searchable,
    date_of,
    decimal_of,
    float_of,
    integer_of,
    ip_of,
    keyword_of,
)
from quidditch.query.ops import Op
from quidditch.query.values import is_value, read_bool, read_float, read_text, text_of

Bounds = dict[str, Any]
_BOUNDS = ("gt", "gte", "lt", "lte", "from", "to", "include_lower", "include_upper")
_OPTIONS = ("boost", "time_zone", "format", "relation", "_name")
_RELATIONS = ("intersects", "contains", "within", "disjoint")


def range_query(body: dict[str, Any], ctx: QueryContext) -> Op:
    field: str | None = None
    spec: dict[str, Any] = {}
    for key, value in body.items():
        if isinstance(value, dict):
            if field is not None:
                reason = f"[range] query doesn't support multiple fields, found [{field}] and [{key}]"
                raise Malformed(reason, body, key)
            field, spec = key, value
        elif key != "_name" or not is_value(value):
            raise unsupported("range", body, key)
    for key, value in spec.items():
        if key not in _BOUNDS and key not in _OPTIONS:
            raise unsupported("range", spec, key)
        if not is_value(value):
            if key in ("gte", "gt", "from", "lte", "lt", "to"):
                side = "lower" if key in ("gte", "gt", "from") else "upper"
                raise Malformed(f"invalid {side} bound for [range] query", spec, key)
            raise unsupported("range", spec, key)
    if not field:
        raise argument("field name is null or empty")
    _check_relation(spec)
    if "boost" in spec:
        read_float(spec["boost"], spec, "boost")
    bounds = read_bounds(spec)
    op = dressed(_compile(field, bounds, spec, ctx), spec, ctx, "range")
    return dressed(op, body, ctx, "range") if "_name" in body else op


def _check_relation(spec: dict[str, Any]) -> None:
    relation = spec.get("relation")
    if relation is None:
        return
    name = read_text(relation).lower()
    if name not in _RELATIONS:
        raise argument(f"{relation} is not a valid relation")
    if name == "disjoint":
        raise argument("[range] query does not support relation [" + read_text(relation) + "]")


def read_bounds(spec: dict[str, Any]) -> Bounds:
    """At most one of gt/gte and one of lt/lte, the later one of the body winning; unbounded ends are left out."""
    low: Any = None
    high: Any = None
    low_open = "include_lower" in spec and not read_bool(spec["include_lower"], spec, "include_lower")
    high_open = "include_upper" in spec and not read_bool(spec["include_upper"], spec, "include_upper")
    for key, value in spec.items():
        if key == "from":
            low = value
        elif key == "to":
            high = value
        elif key in ("gt", "gte"):
            low, low_open = value, key == "gt"
        elif key in ("lt", "lte"):
            high, high_open = value, key == "lt"
    bounds: Bounds = {}
    if low is not None:
        bounds["gt" if low_open else "gte"] = low
    if high is not None:
        bounds["lt" if high_open else "lte"] = high
    return bounds


def _compile(path: str, bounds: Bounds, spec: dict[str, Any], ctx: QueryContext) -> Op:
    ctx.count_clause()
    field = ctx.field(path)
    if field is None:
        return _metadata(path, bounds)
    return typed_range(field, bounds, ctx, spec.get("format"), spec.get("time_zone"))


def _metadata(path: str, bounds: Bounds) -> Op:
    if path == "_seq_no":
        limits = {key: integer_of("long", value)[0] for key, value in bounds.items()}
        return {"range": {"field": path, **limits}}
    if path == "_id":
        raise QueryFault("Field [_id] of type [_id] does not support range queries")
    return ops.no_docs()


def typed_range(field: Field, bounds: Bounds, ctx: QueryContext, format: Any = None, time_zone: Any = None) -> Op:
    """The range over a field's values; a range without bounds asks for the field's existence."""
    kind, path = field.type, field.path
    if kind == "binary":
        raise QueryFault(f"Field [{path}] of type [{kind}] does not support range queries")
    check_searchable(field)
    if kind in DATES:
        limits = _dates(field, bounds, ctx, format, time_zone)
    elif kind in INTEGERS:
        found = _integers(kind, bounds)
        if found is None:
            return ops.no_docs()
        limits = found
    elif kind in FLOATS:
        limits = {key: float_of(kind, value) for key, value in bounds.items() if not _infinite(value)}
    elif kind == "boolean":
        return _boolean(path, {key: boolean_of(value) for key, value in bounds.items()})
    elif kind == "ip":
        limits = {key: ip_of(text_of(value)) for key, value in bounds.items()}
    elif kind in STRINGS:
        _check_expensive(ctx)
        limits = {key: keyword_of(field, value, ctx) for key, value in bounds.items()}
    else:
        raise QueryFault(f"Field [{path}] of type [{kind}] does not support range queries")
    if not limits:
        return {"exists": {"field": path}}
    return {"range": {"field": path, **limits}}


def _boolean(path: str, bounds: Bounds) -> Op:
    """The range of one of the two values is a term, scored as such."""
    inside = [
        value
        for value in (False, True)
        if bounds.get("gte", False) <= value <= bounds.get("lte", True)
        and not ("gt" in bounds and value <= bounds["gt"])
        and not ("lt" in bounds and value >= bounds["lt"])
    ]
    if len(inside) == 1:
        return ops.term(path, inside[0])
    return {"exists": {"field": path}} if inside else ops.no_docs()


def _infinite(value: Any) -> bool:
    return not decimal_of(value).is_finite()


def _check_expensive(ctx: QueryContext) -> None:
    if not ctx.settings.allow_expensive_queries:
        raise ShardError(
            400,
            "illegal_state_exception",
            "[range] queries on [text] or [keyword] fields cannot be executed when "
            "'search.allow_expensive_queries' is set to false.",
        )


def _dates(field: Field, bounds: Bounds, ctx: QueryContext, format: Any, time_zone: Any) -> Bounds:
    pattern = None if format is None else read_text(format)
    zone = None if time_zone is None else read_text(time_zone)
    return {key: date_of(field, value, key in ("gt", "lte"), ctx, pattern, zone) for key, value in bounds.items()}


def _integers(kind: str, bounds: Bounds) -> Bounds | None:
    """Inclusive integer bounds of possibly fractional ones; None if nothing can lie between them."""
    smallest, largest, name = INTEGERS[kind]
    low, high = smallest, largest
    for key, value in bounds.items():
        number = decimal_of(value)
        if not number.is_finite():
            continue
        if kind == "unsigned_long" and not smallest <= number <= largest:
            raise QueryFault(f"Value [{text_of(value)}] is out of range for {name}")
        if key in ("gt", "gte"):
            if number > largest:
                return None
            whole = smallest if number < smallest else int(number)
            if (number == whole and key == "gt") or number > whole:
                whole += 1
            low = max(low, whole)
        else:
            if number < smallest:
                return None
            whole = largest if number > largest else int(number)
            if (number == whole and key == "lt") or number < whole:
                whole -= 1
            high = min(high, whole)
    if low > high:
        return None
    limits: Bounds = {}
    if any(key in bounds for key in ("gt", "gte")):
        limits["gte"] = low
    if any(key in bounds for key in ("lt", "lte")):
        limits["lte"] = high
    return limits
