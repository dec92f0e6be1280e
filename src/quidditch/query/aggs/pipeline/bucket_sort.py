"""bucket_sort: other order, fewer buckets."""

from __future__ import annotations

import math
from typing import Any

from quidditch.query.aggs.pipeline.paths import Tree, buckets_of, steps
from quidditch.query.aggs.pipeline.pipelines import Pipeline, Shown, gap_policy
from quidditch.query.aggs.spec import AggSpec
from quidditch.query.errors import argument, did_you_mean, x_content
from quidditch.query.values import read_int, read_text, token_name

_KEYS = ("sort", "from", "size", "gap_policy")
Sort = tuple[str, bool]
"""A path and whether it descends."""


def read_bucket_sort(spec: AggSpec) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Paths and parameters of a bucket_sort."""
    body = spec.body
    found: dict[str, Any] = {}
    for key, value in body.items():
        if key not in _KEYS:
            raise x_content(f"[bucket_sort] unknown field [{key}]{did_you_mean(key, _KEYS)}", body, key)
        if key == "sort":
            found["sort"] = [_sort(spec, item) for item in (value if isinstance(value, list) else [value])]
        elif key == "gap_policy":
            found["zeros"] = gap_policy(spec, key)
        elif value is not None:
            found[key] = _bounded(spec, key, read_int(value, body, key))
    paths = tuple(path for path, _ in found.get("sort", ()) if path != "_key")
    for path in paths:
        steps(path)
    return paths, found


def _bounded(spec: AggSpec, key: str, number: int) -> int:
    if key == "from" and number < 0:
        raise spec.failed(key, argument(f"[from] must be a non-negative integer: [{number}]"))
    if key == "size" and number <= 0:
        raise spec.failed(key, argument(f"[size] must be a positive integer: [{number}]"))
    return number


def _sort(spec: AggSpec, item: Any) -> Sort:
    if isinstance(item, str):
        return item, False
    if not isinstance(item, dict) or len(item) != 1:
        raise x_content(
            f"[bucket_sort] sort doesn't support values of type: {token_name(item)}", spec.body, "sort", "value"
        )
    path, how = next(iter(item.items()))
    if isinstance(how, dict):
        how = how.get("order", "asc")
    order = read_text(how, item, path).lower()
    if order not in ("asc", "desc"):
        raise spec.failed("sort", argument(f"No enum constant org.opensearch.search.sort.SortOrder.{order.upper()}"))
    return path, order == "desc"


def idle(pipeline: Pipeline) -> bool:
    """Nothing to sort, nothing to cut."""
    return not pipeline.params.get("sort") and "size" not in pipeline.params and not pipeline.params.get("from")


def bucket_sort(pipeline: Pipeline, owner: Tree, agg: dict[str, Any], shown: Shown) -> None:
    pairs = buckets_of(agg)
    sorts: list[Sort] = pipeline.params.get("sort", [])
    if sorts:
        pairs = _sorted(pipeline, owner, agg, sorts, shown)
    start = pipeline.params.get("from", 0)
    size = pipeline.params.get("size")
    pairs = pairs[start:] if size is None else pairs[start : start + size]
    keyed = isinstance(agg.get("buckets"), dict)
    agg["buckets"] = dict(pairs) if keyed else [bucket for _, bucket in pairs]


def _sorted(
    pipeline: Pipeline, owner: Tree, agg: dict[str, Any], sorts: list[Sort], shown: Shown
) -> list[tuple[str | None, dict[str, Any]]]:
    """In order; a bucket without any of the values is left out, one without some goes behind."""
    columns: list[list[Any]] = []
    pairs = buckets_of(agg)
    for path, _ in sorts:
        if path == "_key":
            columns.append([_comparable(bucket.get("key", name)) for name, bucket in pairs])
        else:
            values = pipeline.values(owner, agg, shown.names, steps(path))
            columns.append([None if value is None or math.isnan(value) else value for value in values])
    rows = [row for row in range(len(pairs)) if any(column[row] is not None for column in columns)]
    for column, (_, descending) in reversed(list(zip(columns, sorts, strict=True))):
        present = sorted((row for row in rows if column[row] is not None), key=column.__getitem__, reverse=descending)
        rows = present + [row for row in rows if column[row] is None]
    return [pairs[row] for row in rows]


def _comparable(key: Any) -> Any:
    return tuple(str(value) for value in key.values()) if isinstance(key, dict) else key
