"""histogram: buckets of one width."""

from __future__ import annotations

from typing import Any

from quidditch.query.aggs.metrics import NUMBERS
from quidditch.query.aggs.spec import VALUES, AggSpec, Reader, double, flag, json, long, read_order, resolve_field
from quidditch.query.context import QueryContext
from quidditch.query.errors import argument, shard_argument, x_content
from quidditch.query.values import read_float

_PARAMS: dict[str, Reader] = {
    **VALUES,
    "interval": double,
    "offset": double,
    "min_doc_count": long,
    "keyed": flag,
    "order": read_order,
    "extended_bounds": json,
    "hard_bounds": json,
}


def histogram(spec: AggSpec, ctx: QueryContext) -> dict[str, Any]:
    found = spec.read(_PARAMS)
    interval = found.get("interval")
    if interval is None:
        raise shard_argument("interval must be positive, got: 0.0")
    if not interval > 0:
        raise spec.failed("interval", argument(f"[interval] must be >0 for histogram aggregation [{spec.name}]"))
    check_min_doc_count(spec, found)
    for key in ("extended_bounds", "hard_bounds"):
        if key in found:
            found[key] = _bounds(spec, key, found[key])
    check_bounds(found)
    found.setdefault("offset", 0.0)
    found.setdefault("keyed", False)
    found.setdefault("order", [["_key", "asc"]])
    resolve_field(spec, found, ctx, NUMBERS)
    return found


def check_min_doc_count(spec: AggSpec, found: dict[str, Any]) -> None:
    count = found.setdefault("min_doc_count", 0)
    if count < 0:
        reason = f"[minDocCount] must be greater than or equal to 0. Found [{count}] in [{spec.name}]"
        raise spec.failed("min_doc_count", argument(reason))


def _bounds(spec: AggSpec, key: str, value: Any) -> dict[str, float]:
    pair = bound_members(spec, key, value)
    return {name: read_float(edge) for name, edge in pair.items()}


def bound_members(spec: AggSpec, key: str, value: Any, kind: str = "double") -> dict[str, Any]:
    """`min` and `max` of an object of bounds."""
    if not isinstance(value, dict):
        raise x_content(f"[{spec.kind}] {key} doesn't support values of this type", spec.body, key, "value")
    for name in value:
        if name not in ("min", "max"):
            raise spec.failed(key, x_content(f"[{kind}_bounds] unknown field [{name}]", value, name))
    return {name: edge for name, edge in value.items() if edge is not None}


def check_bounds(found: dict[str, Any]) -> None:
    bounds = found.get("extended_bounds")
    if not bounds:
        return
    low, high = bounds.get("min"), bounds.get("max")
    if low is not None and high is not None and low > high:
        raise argument(f"max bound [{high}] must be greater than min bound [{low}]")
    hard = found.get("hard_bounds") or {}
    for name, sign in (("min", 1), ("max", -1)):
        inner, outer = bounds.get(name), hard.get(name)
        if inner is not None and outer is not None and inner * sign < outer * sign:
            raise shard_argument(
                "Extended bounds have to be inside hard bounds, "
                f"hard bounds: [{_shown(hard)}], extended bounds: [{_shown(bounds)}]"
            )


def _shown(bounds: dict[str, Any]) -> str:
    low, high = bounds.get("min"), bounds.get("max")
    return f"{'' if low is None else low}--{'' if high is None else high}"
