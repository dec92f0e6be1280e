"""From the `aggs` of a body to those of a plan: names, types, sub-aggregations, `meta`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from quidditch.model.errors import ApiError
from quidditch.query.aggs.spec import AggSpec
from quidditch.query.context import QueryContext
from quidditch.query.errors import Malformed, QueryFault, ShardError, argument, did_you_mean
from quidditch.query.values import token_name

Build = Callable[[AggSpec, QueryContext], dict[str, Any]]
"""A kind of aggregation: checks its parameters in full, then resolves them for the index; answers the kernel's params."""

AGGREGATIONS: dict[str, Build] = {}
LATER: frozenset[str] = frozenset(
    {
        "adjacency_matrix",
        "auto_date_histogram",
        "bucket_script",
        "bucket_selector",
        "diversified_sampler",
        "geo_bounds",
        "geo_centroid",
        "geo_distance",
        "geohash_grid",
        "geotile_grid",
        "matrix_stats",
        "moving_avg",
        "moving_fn",
        "multi_terms",
        "rare_terms",
        "sampler",
        "scripted_metric",
        "significant_terms",
        "significant_text",
        "variable_width_histogram",
    }
)
PIPELINES: frozenset[str] = frozenset(
    {
        "avg_bucket",
        "bucket_sort",
        "cumulative_sum",
        "derivative",
        "extended_stats_bucket",
        "max_bucket",
        "min_bucket",
        "percentiles_bucket",
        "serial_diff",
        "stats_bucket",
        "sum_bucket",
    }
)
"""Computed over the finished tree by `pipeline/`; the kernel does not see them."""
_NAME = re.compile(r"[^\[\]>]+\Z")
_PARENTLESS = ("global",)
MAX_AGG_DEPTH = 60


def compile_aggs(aggs: Any, ctx: QueryContext, root: Any = None, depth: int = 0, parent: str = "") -> dict[str, Any]:
    """The aggregations of one level."""
    import quidditch.query.aggs.registry  # noqa: F401  (fills AGGREGATIONS; it imports this module)

    if not isinstance(aggs, dict):
        raise Malformed(f"Unknown key for a {token_name(aggs)} in [aggs].", root, "aggs")
    if depth > MAX_AGG_DEPTH:
        raise argument(f"Aggregations may be nested at most [{MAX_AGG_DEPTH}] levels deep")
    found = {name: _one(name, body, aggs, ctx, depth, parent) for name, body in aggs.items()}
    return {name: node for name, node in found.items() if node is not None}


def _one(
    name: str, body: Any, holder: dict[str, Any], ctx: QueryContext, depth: int, parent: str
) -> dict[str, Any] | None:
    """One aggregation as the kernel takes it; None for a pipeline."""
    if not _NAME.match(name):
        reason = (
            f"Invalid aggregation name [{name}]. Aggregation names can contain any character except '[', ']', and '>'"
        )
        raise Malformed(reason, holder, name, "key")
    if not isinstance(body, dict):
        reason = f"Aggregation definition for [{name} starts with a [{token_name(body)}], expected a [START_OBJECT]."
        raise Malformed(reason, holder, name)
    kind, subs, meta = members(name, body)
    if kind in PIPELINES:
        return None
    build = AGGREGATIONS.get(kind)
    if build is None:
        raise _unknown(kind, body)
    if kind in _PARENTLESS and depth:
        reason = (
            f"Aggregation [{parent}] cannot have a global sub-aggregation [{name}]. "
            "Global aggregations can only be defined as top level aggregations"
        )
        raise ApiError(400, "aggregation_execution_exception", reason)
    spec = AggSpec(name, kind, body[kind])
    ctx_scope = list(ctx.nested_scope)
    try:
        params = build(spec, ctx)
        node: dict[str, Any] = {"kind": kind, "params": params}
        if subs is not None:
            if kind in LEAVES:
                reason = f"Aggregator [{name}] of type [{kind}] cannot accept sub-aggregations"
                raise ApiError(400, "aggregation_initialization_exception", reason)
            node["aggs"] = compile_aggs(subs, ctx, body, depth + 1, name)
            _check_composite(kind, node["aggs"])
        if isinstance(params.get("order"), list):
            _check_order(params["order"], subs or {})
    except QueryFault as fault:
        raise ShardError(400, fault.type, fault.reason) from None
    finally:
        ctx.nested_scope[:] = ctx_scope
    if meta is not None:
        node["meta"] = meta
    return node


def _check_composite(kind: str, subs: dict[str, Any]) -> None:
    """Pages of combinations only make sense in a single bucket."""
    if kind not in ("nested", "reverse_nested", "filter") and any(sub["kind"] == "composite" for sub in subs.values()):
        factory = "".join(part.capitalize() for part in kind.split("_")) + "AggregatorFactory"
        raise ShardError(
            400,
            "illegal_argument_exception",
            f"[composite] aggregation cannot be used with a parent aggregation of type: [{factory}]",
        )


LEAVES = frozenset(
    {
        "avg",
        "sum",
        "min",
        "max",
        "stats",
        "extended_stats",
        "value_count",
        "cardinality",
        "weighted_avg",
        "median_absolute_deviation",
        "percentiles",
        "percentile_ranks",
        "top_hits",
    }
)


def _check_order(order: Any, subs: dict[str, Any]) -> None:
    """An order by sub-aggregations has to name ones that are there."""
    for path, _ in order or ():
        head = re.split(r"[>.\[]", path, maxsplit=1)[0].strip()
        if path not in ("_count", "_key") and head not in subs:
            problem = (
                f"The provided aggregation [{head}] either does not exist, or is a pipeline aggregation and cannot be used to sort "
                "the buckets."
            )
            cause = {"type": "illegal_argument_exception", "reason": problem}
            reason = f"Invalid aggregation order path [{path}]. {problem}"
            raise ShardError(500, "aggregation_execution_exception", reason, {"caused_by": cause})


def members(name: str, body: dict[str, Any]) -> tuple[str, Any, Any]:
    """Kind, sub-aggregations and `meta` of an aggregation's definition."""
    kind: str | None = None
    subs: Any = None
    meta: Any = None
    for key, value in body.items():
        if not isinstance(value, dict):
            reason = f"Expected [START_OBJECT] under [{key}], but got a [{token_name(value)}] in [{name}]"
            raise Malformed(reason, body, key)
        if key == "meta":
            meta = value
        elif key in ("aggs", "aggregations"):
            if subs is not None:
                raise Malformed(f"Found two sub aggregation definitions under [{name}]", body, key)
            subs = value
        elif kind is not None:
            raise Malformed(f"Found two aggregation type definitions in [{name}]: [{kind}] and [{key}]", body, key)
        else:
            kind = key
    if kind is None:
        raise Malformed(f"Missing definition for aggregation [{name}]", body, None, "end")
    return kind, subs, meta


def _unknown(kind: str, body: dict[str, Any]) -> Exception:
    if kind in LATER:
        return argument(f"Aggregation type [{kind}] is not supported")
    cause = {"type": "named_object_not_found_exception", "reason": f"unknown field [{kind}]"}
    known = [*AGGREGATIONS, *PIPELINES, *LATER]
    return Malformed(
        f"Unknown aggregation type [{kind}]{did_you_mean(kind, known)}", body, kind, "value", caused_by=cause
    )
