"""Search by URL: `q` and the other parameters, laid over what the body says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quidditch.model.errors import ApiError
from quidditch.query.errors import argument
from quidditch.query.fetch import FieldRequest, SourceFilter, read_source
from quidditch.query.request import (
    ACCURATE,
    SearchRequest,
    set_from,
    set_size,
    set_terminate_after,
    set_track_total_hits,
)
from quidditch.query.values import INT_MAX, INT_MIN, time_ms

Params = Mapping[str, str]
QUERY_PARAMS = ("q", "analyzer", "analyze_wildcard", "default_operator", "df", "lenient")
"""What :func:`query_of` reads."""
SEARCH_PARAMS = frozenset(
    {
        *QUERY_PARAMS,
        "from",
        "size",
        "sort",
        "_source",
        "_source_includes",
        "_source_excludes",
        "_source_include",
        "_source_exclude",
        "stored_fields",
        "docvalue_fields",
        "track_scores",
        "track_total_hits",
        "terminate_after",
        "timeout",
        "version",
        "seq_no_primary_term",
        "explain",
        "stats",
        "include_named_queries_score",
        "suggest_field",
        "suggest_text",
        "suggest_mode",
        "suggest_size",
        "ignore_unavailable",
        "allow_no_indices",
        "expand_wildcards",
        "ignore_throttled",
        "routing",
        "preference",
        "search_type",
        "scroll",
        "request_cache",
        "batched_reduce_size",
        "pre_filter_shard_size",
        "max_concurrent_shard_requests",
        "allow_partial_search_results",
        "ccs_minimize_roundtrips",
        "typed_keys",
        "rest_total_hits_as_int",
        "search_pipeline",
        "verbose_pipeline",
        "cancel_after_time_interval",
        "phase_took",
        "index",
        "source",
        "source_content_type",
        "min_compatible_shard_node",
    }
)


def flag(params: Params, name: str, default: bool = False) -> bool:
    """A boolean parameter; without a value it is true."""
    value = params.get(name)
    if value is None:
        return default
    if value in ("", "true"):
        return True
    if value == "false":
        return False
    raise argument(f"Failed to parse value [{value}] as only [true] or [false] are allowed.")


def number(params: Params, name: str) -> int | None:
    value = params.get(name)
    if value is None:
        return None
    try:
        found = int(value)
    except ValueError:
        found = INT_MAX + 1
    if not INT_MIN <= found <= INT_MAX:
        cause = {"type": "number_format_exception", "reason": f'For input string: "{value}"'}
        reason = f"Failed to parse int parameter [{name}] with value [{value}]"
        raise ApiError(400, "illegal_argument_exception", reason, {"caused_by": cause})
    return found


def query_of(params: Params) -> dict[str, Any] | None:
    """The query_string query that `q` and its companions stand for."""
    text = params.get("q")
    if text is None:
        return None
    spec: dict[str, Any] = {"query": text}
    if params.get("df"):
        spec["default_field"] = params["df"]
    for name in ("analyzer", "default_operator"):
        if params.get(name) is not None:
            spec[name] = params[name]
    for name in ("analyze_wildcard", "lenient"):
        if name in params:
            spec[name] = flag(params, name)
    return {"query_string": spec}


def apply_uri(request: SearchRequest, params: Params) -> None:
    """Lays the parameters of the URL over the body's members."""
    if not params:
        return
    query = query_of(params)
    if query is not None:
        request.query = query
        request.uri_query = True
    first, size = number(params, "from"), number(params, "size")
    if first is not None:
        set_from(request, first)
    if size is not None:
        set_size(request, size)
    for name in ("explain", "version", "seq_no_primary_term"):
        if name in params:
            setattr(request, name, flag(params, name))
    if "include_named_queries_score" in params:
        request.named_scores = flag(params, "include_named_queries_score")
    if "track_scores" in params:
        request.track_scores = flag(params, "track_scores")
    _limits(request, params)
    _fetch(request, params)
    if params.get("sort"):
        request.sort = [_sort(item) for item in params["sort"].split(",")]
    if any(params.get(name) for name in ("suggest_field", "suggest_text")):
        raise argument("[suggest] in a search is not supported")


def _limits(request: SearchRequest, params: Params) -> None:
    after = number(params, "terminate_after")
    if after is not None:
        if after < 0:
            raise argument("terminateAfter must be > 0")
        set_terminate_after(request, after)
    if "timeout" in params:
        milliseconds = time_ms(params["timeout"], "timeout")
        request.timeout_ms = int(milliseconds) if milliseconds >= 0 else None
    tracked = params.get("track_total_hits")
    if tracked is not None:
        if tracked in ("true", "false", ""):
            request.track_total_hits = -1 if tracked == "false" else ACCURATE
        else:
            set_track_total_hits(request, number(params, "track_total_hits") or 0)


def _fetch(request: SearchRequest, params: Params) -> None:
    if params.get("stored_fields"):
        request.stored_fields = params["stored_fields"].split(",")
    if params.get("docvalue_fields"):
        request.docvalue_fields = [FieldRequest(name) for name in params["docvalue_fields"].split(",")]
    source = source_filter(params)
    if source is not None:
        request.source = source


def source_filter(params: Params) -> SourceFilter | None:
    """`_source`, `_source_includes` and `_source_excludes` of the URL."""
    fetch: SourceFilter | None = None
    given = params.get("_source")
    if given is not None:
        fetch = read_source(given == "true") if given in ("true", "false") else SourceFilter(True, _names(given))
    includes = params.get("_source_includes", params.get("_source_include"))
    excludes = params.get("_source_excludes", params.get("_source_exclude"))
    if includes is None and excludes is None:
        return fetch
    base = fetch or SourceFilter()
    return SourceFilter(
        base.fetch,
        _names(includes) if includes is not None else base.includes,
        _names(excludes) if excludes is not None else base.excludes,
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


def _sort(item: str) -> Any:
    name, mark, order = item.rpartition(":")
    if not mark:
        return item
    if order not in ("asc", "desc"):
        raise argument(f"Unrecognized sort order [{order}]")
    return {name: order}


def check_plain_params(params: Params) -> None:
    """Parameters that only have to be right."""
    kind = params.get("search_type")
    if kind is not None and kind not in ("query_then_fetch", "dfs_query_then_fetch"):
        known = kind in ("query_and_fetch", "dfs_query_and_fetch")
        raise argument(f"Unsupported search type [{kind}]" if known else f"No search type for [{kind}]")
    for name, low, text in (
        ("batched_reduce_size", 2, "batchedReduceSize must be >= 2"),
        ("pre_filter_shard_size", 1, "preFilterShardSize must be >= 1"),
        ("max_concurrent_shard_requests", 1, "maxConcurrentShardRequests must be >= 1"),
    ):
        value = number(params, name)
        if value is not None and value < low:
            raise argument(text)
    for name in ("request_cache", "allow_partial_search_results", "ccs_minimize_roundtrips", "phase_took"):
        flag(params, name)
