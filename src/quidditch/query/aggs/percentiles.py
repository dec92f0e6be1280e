"""percentiles and percentile_ranks, by t-digest or HDR histogram."""

from __future__ import annotations

from typing import Any

from quidditch.query.aggs.metrics import NUMBERS
from quidditch.query.aggs.spec import VALUES, AggSpec, Reader, double, doubles, flag, integer, json, resolve_field
from quidditch.query.context import QueryContext
from quidditch.query.errors import Malformed, argument, x_content

DEFAULT_PERCENTS = [1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0]
_COMMON: dict[str, Reader] = {**VALUES, "keyed": flag, "tdigest": json, "hdr": json}


def percentiles(spec: AggSpec, ctx: QueryContext) -> dict[str, Any]:
    _no_null(spec, "percents")
    found = spec.read({**_COMMON, "percents": doubles})
    percents = found.setdefault("percents", DEFAULT_PERCENTS)
    if not percents:
        raise _unbuilt(spec, f"[percents] must not be empty: [{spec.name}]")
    for percent in percents:
        if not 0 <= percent <= 100:
            raise _unbuilt(spec, f"percent must be in [0,100], got [{percent}]: [{spec.name}]")
    found["percents"] = sorted(percents)
    return _finish(spec, found, ctx)


def percentile_ranks(spec: AggSpec, ctx: QueryContext) -> dict[str, Any]:
    _no_null(spec, "values")
    found = spec.read({**_COMMON, "values": doubles})
    if not found.get("values"):
        problem = "must not be null" if "values" not in found else "must not be an empty array"
        raise _unbuilt(spec, f"[values] {problem}: [{spec.name}]")
    found["values"] = sorted(found["values"])
    return _finish(spec, found, ctx)


def _no_null(spec: AggSpec, key: str) -> None:
    if key in spec.body and spec.body[key] is None:
        raise x_content(f"[{spec.kind}] {key} doesn't support values of type: VALUE_NULL", spec.body, key, "value")


def _unbuilt(spec: AggSpec, reason: str) -> Malformed:
    cause = {"type": "illegal_argument_exception", "reason": reason}
    text = f"Failed to build [{spec.kind}] after last required field arrived"
    return Malformed(text, type="x_content_parse_exception", caused_by=cause)


def _finish(spec: AggSpec, found: dict[str, Any], ctx: QueryContext) -> dict[str, Any]:
    if "tdigest" in found and "hdr" in found:
        raise _unbuilt(spec, "Only one percentiles method should be declared.")
    if "hdr" in found:
        found["hdr"] = _hdr(spec, found["hdr"])
    else:
        found["tdigest"] = _tdigest(spec, found.get("tdigest", {}))
    found.setdefault("keyed", True)
    resolve_field(spec, found, ctx, NUMBERS)
    return found


def _tdigest(spec: AggSpec, body: Any) -> dict[str, Any]:
    inner = AggSpec(spec.name, "tdigest", _object(spec, body, "tdigest"))
    found = inner.read({"compression": double})
    compression = found.setdefault("compression", 100.0)
    if compression < 0:
        wrong = argument(f"[compression] must be greater than or equal to 0. Found [{compression}]")
        raise spec.failed("tdigest", inner.failed("compression", wrong))
    return found


def _hdr(spec: AggSpec, body: Any) -> dict[str, Any]:
    key = "number_of_significant_value_digits"
    inner = AggSpec(spec.name, "hdr", _object(spec, body, "hdr"))
    try:
        _no_null(inner, key)
    except Malformed as fault:
        raise spec.failed("hdr", fault) from None
    found = inner.read({key: integer})
    digits = found.setdefault(key, 3)
    if not 0 <= digits <= 5:
        wrong = argument("[numberOfSignificantValueDigits] must be between 0 and 5")
        raise spec.failed("hdr", inner.failed(key, wrong))
    return found


def _object(spec: AggSpec, body: Any, key: str) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise x_content(
            f"[{spec.kind}] {key} doesn't support values of type: {type(body).__name__}", spec.body, key, "value"
        )
    return body
