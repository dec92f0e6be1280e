"""Parent pipelines: they walk over the buckets of the aggregation that they stand in."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from quidditch.query.aggs.pipeline.paths import NAN, Tree, buckets_of
from quidditch.query.aggs.pipeline.pipelines import Pipeline, Read, Shown, unexpected, whole
from quidditch.query.aggs.spec import AggSpec
from quidditch.query.errors import Malformed, argument

_UNITS = {
    "second": 1000, "1s": 1000, "minute": 60_000, "1m": 60_000, "hour": 3_600_000, "1h": 3_600_000, "day": 86_400_000, "1d": 86_400_000,
    "week": 7 * 86_400_000, "1w": 7 * 86_400_000, "month": 2_629_800_000, "1M": 2_629_800_000, "quarter": 7_889_400_000,
    "1q": 7_889_400_000, "year": 31_557_600_000, "1y": 31_557_600_000,
}  # fmt: skip
"""Milliseconds of calendar units as Java estimates them."""
_FIXED = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


@dataclass(frozen=True, slots=True)
class Parent:
    """`run(pipeline, owner, agg, shown)` changes the buckets of `agg`; `ordered`: only within a histogram."""

    run: Callable[[Pipeline, Tree, dict[str, Any], Shown], None]
    readers: dict[str, Read]
    ordered: bool = True


def derivative(pipeline: Pipeline, owner: Tree, agg: dict[str, Any], shown: Shown) -> None:
    unit = pipeline.params.get("unit")
    values = pipeline.values(owner, agg, shown.names)
    buckets = [bucket for _, bucket in buckets_of(agg)]
    for number in range(1, len(buckets)):
        before, now = values[number - 1], values[number]
        if before is None or now is None:
            continue
        gradient = now - before
        found = pipeline.number(gradient, shown)
        if unit is not None:
            distance = (buckets[number]["key"] - buckets[number - 1]["key"]) / unit
            keys = ("normalized_value", "normalized_value_as_string")
            found |= pipeline.number(gradient / distance, shown, keys)
        shown.names.put(buckets[number], "derivative", pipeline.name, pipeline.result(found))


def cumulative_sum(pipeline: Pipeline, owner: Tree, agg: dict[str, Any], shown: Shown) -> None:
    total = 0.0
    for (_, bucket), value in zip(buckets_of(agg), pipeline.values(owner, agg, shown.names), strict=True):
        total += value if value is not None and math.isfinite(value) else 0.0
        shown.names.put(bucket, "simple_value", pipeline.name, pipeline.result(pipeline.number(total, shown)))


def serial_diff(pipeline: Pipeline, owner: Tree, agg: dict[str, Any], shown: Shown) -> None:
    lag = pipeline.params.get("lag", 1)
    values = [NAN if value is None else value for value in pipeline.values(owner, agg, shown.names)]
    for number, (_, bucket) in enumerate(buckets_of(agg)):
        change = values[number] - values[number - lag] if number >= lag else NAN
        if not math.isnan(change):
            shown.names.put(bucket, "simple_value", pipeline.name, pipeline.result(pipeline.number(change, shown)))


def _unit(spec: AggSpec, key: str) -> int:
    value = spec.body[key]
    if not isinstance(value, str):
        raise unexpected(spec, key, value)
    if value in _UNITS:
        return _UNITS[value]
    for suffix in ("ms", "s", "m", "h", "d"):
        digits = value.removesuffix(suffix)
        if value.endswith(suffix) and digits.isdigit() and int(digits) > 0:
            return int(digits) * _FIXED[suffix]
    raise argument(
        f"failed to parse setting [DerivativePipelineAggregationBuilder.unit] with value [{value}] as a time value: "
        "unit is missing or unrecognized"
    )


def _lag(spec: AggSpec, key: str) -> int:
    lag = whole(spec, key)
    if lag <= 0:
        wrong = f"Lag must be a positive, non-zero integer.  Value supplied was{lag} in [{spec.name}]: [{key}]."
        raise Malformed(wrong, spec.body, key)
    return lag


PARENTS = {
    "derivative": Parent(derivative, {"unit": _unit}),
    "cumulative_sum": Parent(cumulative_sum, {}),
    "serial_diff": Parent(serial_diff, {"lag": _lag}),
}
