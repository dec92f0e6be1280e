"""From a request to the plan of one index: the JSON that the kernel runs, and what Python has to know beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson

import quidditch.query.dsl.registry  # noqa: F401  (the query types)
from quidditch.model.errors import ApiError
from quidditch.query import ops
from quidditch.query.aggs.compiler import compile_aggs
from quidditch.query.aggs.pipeline.compiler import Level, compile_pipelines
from quidditch.query.compiler import compile_filter
from quidditch.query.compiler import compile_query as compile_one
from quidditch.query.context import DEFAULT_SETTINGS, QueryContext
from quidditch.query.errors import Malformed, QueryFault, ShardError, argument, shard_argument
from quidditch.query.ops import Op
from quidditch.query.plan_fetch import fetch_plan
from quidditch.query.request import ACCURATE, DEFAULT_TRACKED, SearchRequest, check_request, parse_request
from quidditch.query.sort import search_after_plan, sort_plan
from quidditch.query.uri import apply_uri, check_plain_params, flag
from quidditch.query.values import text_of

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """A compiled search for one index.

    `kernel` is the plan's JSON. `pipelines`: what is computed over its finished aggregations.
    `reusable`: the same body gives the same plan as long as mapping and settings stay (no `now`, no lookups).
    """

    kernel: bytes
    body: dict[str, Any]
    reusable: bool
    request: SearchRequest
    pipelines: Level | None = None


def compile_search(
    body: Any, params: Mapping[str, str], ctx: QueryContext, raw: bytes = b"", scroll: bool = False
) -> SearchPlan:
    """Body and URL parameters of a search to the plan for the index of `ctx`.

    Raises `Malformed` and other `ApiError` for what is wrong with the request, `ShardError` for what is wrong with it on this index.
    """
    request = read_search(body, params, raw, scroll)
    return compile_request(request, ctx, flag(params, "typed_keys"), flag(params, "rest_total_hits_as_int"), scroll)


def read_search(body: Any, params: Mapping[str, str], raw: bytes = b"", scroll: bool = False) -> SearchRequest:
    """The request, checked in itself."""
    check_plain_params(params)
    request = parse_request(body, raw)
    apply_uri(request, params)
    check_request(request, scroll, flag(params, "rest_total_hits_as_int"), flag(params, "request_cache"))
    return request


def compile_request(
    request: SearchRequest,
    ctx: QueryContext,
    typed_keys: bool = False,
    total_as_int: bool = False,
    scroll: bool = False,
    filter: Op | None = None,
    boost: float = 1.0,
) -> SearchPlan:
    """The plan of a request for one index. `filter` narrows it (an alias's filter), `boost` is the index's."""
    body = guarded(lambda: _plan(request, ctx, typed_keys, total_as_int, scroll, filter, boost), request, ctx)
    pipelines = None if request.aggs is None else guarded(lambda: compile_pipelines(request.aggs), request, ctx)
    reusable = not ctx.uses_now and ctx.lookup is None
    return SearchPlan(orjson.dumps(body), body, reusable, request, pipelines)


def guarded(build: Callable[[], T], request: SearchRequest, ctx: QueryContext) -> T:
    """Runs a compilation; faults get their position or become failures of the index."""
    try:
        return build()
    except Malformed as fault:
        raise request.locate(fault) from None
    except QueryFault as fault:
        raise ctx.from_fault(fault) from None
    except RecursionError:
        raise argument("The nested depth of the request exceeds what can be processed") from None


def compile_query(body: Any, ctx: QueryContext, raw: bytes = b"", root: Any = None) -> Op:
    """One query on its own (alias filters, _count, _validate, delete_by_query)."""
    holder = SearchRequest(root=root if root is not None else body, raw=raw)
    return guarded(lambda: compile_one(body, ctx), holder, ctx)


def _plan(
    request: SearchRequest,
    ctx: QueryContext,
    typed_keys: bool,
    total_as_int: bool,
    scroll: bool,
    filter: Op | None,
    boost: float,
) -> dict[str, Any]:
    query = ops.all_docs() if request.query is None else compile_one(request.query, ctx, request.root, "query")
    if request.pit_id is None or request.first:
        _check_window(request, ctx, scroll)
    if request.slice is not None:
        _check_slice(request, ctx, scroll)
    if filter is not None:
        query = {"bool": {"must": [query], "filter": [filter]}}
    if boost < 0:
        raise shard_argument(f"boost must be a positive float, got {text_of(boost)}")
    if boost != 1.0:
        query = ops.dress(query, boost)
    try:
        sort = sort_plan(request.sort, ctx)
    except ShardError as error:
        error.in_sort = True
        raise
    plan: dict[str, Any] = {
        "query": query,
        "from": request.first,
        "size": request.count,
        "track_total_hits": _tracked(request),
    }
    if sort is not None:
        plan["sort"] = sort
    if request.post_filter is not None:
        plan["post_filter"] = compile_filter(request.post_filter, ctx, request.root, "post_filter")
    if request.search_after is not None:
        plan["search_after"] = _search_after(request, sort, ctx, scroll, plan)
    if request.aggs is not None:
        plan["aggs"] = compile_aggs(request.aggs, ctx, request.root)
        if ctx.settings.max_buckets != DEFAULT_SETTINGS.max_buckets:
            plan["max_buckets"] = ctx.settings.max_buckets
    _options(request, plan)
    if typed_keys:
        plan["typed_keys"] = True
    if total_as_int:
        plan["total_as_int"] = True
    plan["fetch"] = fetch_plan(request, ctx)
    return plan


def _options(request: SearchRequest, plan: dict[str, Any]) -> None:
    if request.min_score is not None:
        plan["min_score"] = request.min_score
    if request.track_scores:
        plan["track_scores"] = True
    if request.terminate_after:
        plan["terminate_after"] = request.terminate_after
    if request.timeout_ms is not None:
        plan["timeout_ms"] = request.timeout_ms
    if request.explain:
        plan["explain"] = True


def _tracked(request: SearchRequest) -> bool | int:
    if request.track_total_hits is not None and request.track_total_hits < -1:
        raise shard_argument(f"totalHitsThreshold must be >= 0, got {request.track_total_hits}")
    tracked = DEFAULT_TRACKED if request.track_total_hits is None else request.track_total_hits
    if tracked in (ACCURATE, -1):
        return tracked == ACCURATE
    return tracked


def _check_window(request: SearchRequest, ctx: QueryContext, scroll: bool) -> None:
    limit = ctx.settings.max_result_window
    window = request.first + request.count
    if window <= limit:
        return
    if scroll:
        raise shard_argument(
            f"Batch size is too large, size must be less than or equal to: [{limit}] but was [{window}]. Scroll batch sizes cost as much "
            "memory as result windows so they are controlled by the [index.max_result_window] index level setting."
        )
    raise shard_argument(
        f"Result window is too large, from + size must be less than or equal to: [{limit}] but was [{window}]. See the scroll api for a "
        "more efficient way to request large data sets. This limit can be set by changing the [index.max_result_window] index level "
        "setting."
    )


def _check_slice(request: SearchRequest, ctx: QueryContext, scroll: bool) -> None:
    if not scroll and request.pit_id is None:
        raise _search_exception("`slice` cannot be used outside of a scroll context or PIT context")
    of, limit = ("scroll", ctx.settings.max_slices) if scroll else ("pit", ctx.settings.max_slices_per_pit)
    total = request.slice[2] if request.slice else 0
    if total > limit:
        reason = (
            f"The number of slices [{total}] is too large. It must be less than [{limit}]. This limit can be set by changing the "
            f"[index.max_slices_per_{of}] index level setting."
        )
        raise shard_argument(reason) if scroll else ShardError(429, "rejected_execution_exception", reason)


def _search_after(
    request: SearchRequest, sort: list[dict[str, Any]] | None, ctx: QueryContext, scroll: bool, plan: dict[str, Any]
) -> list[Any]:
    if scroll:
        raise _search_exception("`search_after` cannot be used in a scroll context.")
    if request.first > 0:
        raise _search_exception("`from` parameter must be set to 0 when `search_after` is used.")
    if request.sort is None:
        raise shard_argument("Sort must contain at least one field.")
    if sort is None:
        plan["sort"] = [{"kind": "score", "order": "desc"}]
    try:
        return search_after_plan(request.search_after or [], sort, ctx)
    except ShardError as error:
        error.in_sort = True
        raise


def _search_exception(reason: str) -> ShardError:
    """OpenSearch takes these for faults of its own, and so answers 500."""
    return ShardError(500, "search_exception", reason)


def parse_failure(request: SearchRequest, blank: QueryContext) -> ApiError | None:
    """What is wrong with the request whatever the index: it wins over an index's own failure.

    `blank` is a context with an empty mapping.
    """
    try:
        compile_request(request, blank)
    except ShardError:
        return None
    except ApiError as error:
        return error
    return None
