"""Sibling pipelines: one result beside an aggregation, over the numbers of its buckets."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from quidditch.query.aggs.percentiles import DEFAULT_PERCENTS
from quidditch.query.aggs.pipeline.paths import NAN, Tree, buckets_of, key_text, steps
from quidditch.query.aggs.pipeline.pipelines import Pipeline, Read, Shown, unexpected
from quidditch.query.aggs.spec import AggSpec
from quidditch.query.errors import argument
from quidditch.query.values import read_bool, read_float

Values = list[tuple[str, float]]
"""Key and number of each bucket that has one."""
_PERCENT_KEYS = ("value", "value_as_string")


@dataclass(frozen=True, slots=True)
class Sibling:
    """`type`: its name with `typed_keys`; `compute`: the members of its result; `readers`: parameters of its own."""

    type: str
    compute: Callable[[Pipeline, Values, Shown], dict[str, Any]]
    readers: dict[str, Read]


def run_sibling(pipeline: Pipeline, level: dict[str, Tree], holder: dict[str, Any], shown: Shown) -> None:
    """Puts the result beside the aggregation that the path starts with."""
    first, *rest = steps(pipeline.paths[0])
    agg = shown.names.get(holder, first)
    values: Values = []
    if isinstance(agg, dict):
        numbers = pipeline.values(level[first], agg, shown.names, rest)
        keys = [key_text(name, bucket) for name, bucket in buckets_of(agg)]
        values = [
            (key, number)
            for key, number in zip(keys, numbers, strict=True)
            if number is not None and not math.isnan(number)
        ]
    sibling = SIBLINGS[pipeline.kind]
    shown.names.put(holder, sibling.type, pipeline.name, pipeline.result(sibling.compute(pipeline, values, shown)))


def _extreme(sign: int) -> Callable[[Pipeline, Values, Shown], dict[str, Any]]:
    def compute(pipeline: Pipeline, values: Values, shown: Shown) -> dict[str, Any]:
        best = max((sign * value for _, value in values), default=NAN) * sign
        return {**pipeline.number(best, shown), "keys": [key for key, value in values if value == best]}

    return compute


def _avg(pipeline: Pipeline, values: Values, shown: Shown) -> dict[str, Any]:
    return pipeline.number(_sum(values) / len(values) if values else NAN, shown)


def _sum_bucket(pipeline: Pipeline, values: Values, shown: Shown) -> dict[str, Any]:
    return pipeline.number(_sum(values), shown)


def _sum(values: Values) -> float:
    total = 0.0
    for _, value in values:
        total += value
    return total


def _stats(pipeline: Pipeline, values: Values, shown: Shown) -> dict[str, Any]:
    numbers = [value for _, value in values]
    count, total = len(numbers), _sum(values)
    found: dict[str, Any] = {
        "count": count,
        "min": min(numbers, default=None),
        "max": max(numbers, default=None),
        "avg": total / count if count else None,
        "sum": total,
    }
    return {**found, **_texts(pipeline, found, ("min", "max", "avg", "sum"), shown)}


def _texts(pipeline: Pipeline, found: dict[str, Any], names: tuple[str, ...], shown: Shown) -> dict[str, str]:
    pattern = pipeline.params.get("format")
    if pattern is None or not found["count"]:
        return {}
    return {f"{name}_as_string": shown.format(float(found[name]), pattern) for name in names}


_SPREAD = (
    "sum_of_squares", "variance", "variance_population", "variance_sampling",
    "std_deviation", "std_deviation_population", "std_deviation_sampling",
)  # fmt: skip
_WAYS = ("", "_population", "_sampling")


def _extended_stats(pipeline: Pipeline, values: Values, shown: Shown) -> dict[str, Any]:
    found = _stats(pipeline, values, shown)
    if not values:
        empty = {f"{edge}{way}": None for way in _WAYS for edge in ("upper", "lower")}
        return {**found, **dict.fromkeys(_SPREAD), "std_deviation_bounds": empty}
    sigma = pipeline.params.get("sigma", 2.0)
    squares = 0.0
    for _, value in values:
        squares += value * value
    count = float(len(values))
    around = squares - found["sum"] * found["sum"] / count
    population = max(0.0, around / count)
    sampling = max(0.0, around / (count - 1)) if count > 1 else NAN
    deviations = {"": math.sqrt(population), "_population": math.sqrt(population), "_sampling": math.sqrt(sampling)}
    spread = (squares, population, population, sampling, *deviations.values())
    more: dict[str, Any] = dict(zip(_SPREAD, map(_json, spread), strict=True))
    bounds: dict[str, Any] = {}
    for way, deviation in deviations.items():
        bounds[f"upper{way}"] = _json(found["avg"] + deviation * sigma)
        bounds[f"lower{way}"] = _json(found["avg"] - deviation * sigma)
    more["std_deviation_bounds"] = bounds
    if "format" in pipeline.params:
        pattern = pipeline.params["format"]
        more |= {f"{name}_as_string": shown.format(float(more[name]), pattern) for name in _SPREAD}
        more["std_deviation_bounds_as_string"] = {k: shown.format(float(v), pattern) for k, v in bounds.items()}
    return {**found, **more}


def _json(value: float) -> Any:
    """OpenSearch writes numbers that JSON lacks as texts."""
    return "NaN" if math.isnan(value) else value


def _percentiles(pipeline: Pipeline, values: Values, shown: Shown) -> dict[str, Any]:
    ordered = sorted(value for _, value in values)
    pairs = [(percent, _percentile(ordered, percent)) for percent in pipeline.params.get("percents", DEFAULT_PERCENTS)]
    if pipeline.params.get("keyed", True):
        keyed: dict[str, Any] = {}
        for percent, value in pairs:
            keyed |= pipeline.number(value, shown, (f"{percent}", f"{percent}_as_string"))
        return {"values": keyed}
    return {"values": [{"key": percent, **pipeline.number(value, shown, _PERCENT_KEYS)} for percent, value in pairs]}


def _percentile(ordered: list[float], percent: float) -> float:
    """The value nearest to the place, halves upwards."""
    return ordered[math.floor(percent / 100 * (len(ordered) - 1) + 0.5)] if ordered else NAN


def _read_percents(spec: AggSpec, key: str) -> list[float]:
    value = spec.body[key]
    items = value if isinstance(value, list) else [value]
    found = []
    for item in items:
        if isinstance(item, bool) or not isinstance(item, (int, float)):
            raise unexpected(spec, key, item)
        if not 0 <= item <= 100:
            raise argument("percents must only contain non-null doubles from 0.0-100.0 inclusive")
        found.append(float(item))
    return found


def _read_sigma(spec: AggSpec, key: str) -> float:
    sigma = read_float(spec.body[key], spec.body, key)
    if sigma < 0:
        raise argument("sigma must be a non-negative double")
    return sigma


def _read_keyed(spec: AggSpec, key: str) -> bool:
    return read_bool(spec.body[key], spec.body, key)


SIBLINGS = {
    "avg_bucket": Sibling("simple_value", _avg, {}),
    "sum_bucket": Sibling("simple_value", _sum_bucket, {}),
    "max_bucket": Sibling("bucket_metric_value", _extreme(1), {}),
    "min_bucket": Sibling("bucket_metric_value", _extreme(-1), {}),
    "stats_bucket": Sibling("stats_bucket", _stats, {}),
    "extended_stats_bucket": Sibling("extended_stats_bucket", _extended_stats, {"sigma": _read_sigma}),
    "percentiles_bucket": Sibling(
        "percentiles_bucket", _percentiles, {"percents": _read_percents, "keyed": _read_keyed}
    ),
}
