"""Shards that cannot match are left out before the query itself runs: when they are looked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from quidditch.controlplane.core import blocks
from quidditch.model.objects import Index
from quidditch.model.state import ClusterState
from quidditch.query.ops import Op
from quidditch.query.request import SearchRequest

DEFAULT_SHARDS = 128
"""Searches of more shards than this are filtered first, unless the request says otherwise."""


def is_wanted(
    request: SearchRequest, params: Mapping[str, str], state: ClusterState, indices: Iterable[Index], shards: int
) -> bool:
    """Whether shards are to be filtered. With a query that matches everything there is nothing to find out."""
    return _may_match_nothing(request) and comes_first(request, params, state, indices, shards)


def comes_first(
    request: SearchRequest, params: Mapping[str, str], state: ClusterState, indices: Iterable[Index], shards: int
) -> bool:
    """Whether OpenSearch would look for shards that cannot match before it searches: those of searches by the order of a field and of
    indices that are not written whenever there are two.
    """
    if shards < 2 or params.get("search_type") == "dfs_query_then_fetch":
        return False
    if not _sorts_by_field(request.sort) and not _may_match_nothing(request):
        return False
    given = params.get("pre_filter_shard_size")
    if given is not None:
        return shards > int(given)
    eager = _sorts_by_field(request.sort) or any(blocks.blocked(state, index, "write") for index in indices)
    return eager or shards > DEFAULT_SHARDS


def _may_match_nothing(request: SearchRequest) -> bool:
    query = request.query
    return query is not None and "match_all" not in query and not visits_everything(request.aggs)


def _sorts_by_field(sort: Any) -> bool:
    """Whether the first key is a field."""
    first = sort[0] if sort else None
    name = next(iter(first), None) if isinstance(first, dict) else first
    return isinstance(name, str) and name not in ("_score", "_script", "_geo_distance")


def demanded(op: Op) -> Op | None:
    """What of the query every match must fulfil and is cheap to test: its ranges. None if there is no such thing."""
    ((kind, arguments),) = op.items()
    if kind in ("range", "none"):
        return op
    if kind == "const":
        return demanded(arguments["query"])
    if kind == "bool":
        parts = [demanded(part) for part in (*arguments.get("must", ()), *arguments.get("filter", ()))]
        found = [part for part in parts if part is not None]
        return {"bool": {"filter": found}} if found else None
    return None


def visits_everything(aggs: Any) -> bool:
    """Whether an aggregation looks at documents that the query does not match."""
    if not isinstance(aggs, dict):
        return False
    for body in aggs.values():
        if not isinstance(body, dict):
            continue
        if "global" in body:
            return True
        for kind in ("terms", "histogram", "date_histogram"):
            spec = body.get(kind)
            if isinstance(spec, dict) and spec.get("min_doc_count") in (0, "0"):
                return True
        if visits_everything(body.get("aggs", body.get("aggregations"))):
            return True
    return False
