"""The search body: every member read and checked, before any index is looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from quidditch.model.errors import ApiError
from quidditch.query.errors import Malformed, argument, failed_field, x_content
from quidditch.query.fetch import FieldRequest, SourceFilter, read_field_requests, read_source, read_stored_fields
from quidditch.query.positions import locate
from quidditch.query.values import (
    INT_MAX,
    read_bool,
    read_float,
    read_int,
    read_long,
    read_text,
    text_of,
    time_ms,
    token_name,
)

ACCURATE = INT_MAX
DEFAULT_TRACKED = 10_000


@dataclass(slots=True)
class SearchRequest:
    """A search as asked for, independent of indices. Queries, sorts, aggregations and highlights are still JSON.

    `track_total_hits`: -1 none, `ACCURATE` all, otherwise up to this many; None: not said.
    """

    root: Any = None
    raw: bytes = b""
    query: Any = None
    post_filter: Any = None
    from_: int | None = None
    size: int | None = None
    sort: list[Any] | None = None
    search_after: list[Any] | None = None
    track_total_hits: int | None = None
    track_scores: bool | None = None
    min_score: float | None = None
    source: SourceFilter | None = None
    docvalue_fields: list[FieldRequest] = field(default_factory=list)
    fields: list[FieldRequest] = field(default_factory=list)
    stored_fields: list[str] | None = None
    highlight: Any = None
    version: bool = False
    seq_no_primary_term: bool = False
    explain: bool = False
    profile: bool = False
    timeout_ms: int | None = None
    terminate_after: int = 0
    aggs: Any = None
    indices_boost: list[tuple[str, float]] = field(default_factory=list)
    pit_id: str | None = None
    pit_keep_alive: str | None = None
    slice: tuple[str, int, int] | None = None
    stats: list[str] = field(default_factory=list)
    named_scores: bool = False
    uri_query: bool = False

    @property
    def first(self) -> int:
        return self.from_ or 0

    @property
    def count(self) -> int:
        return 10 if self.size is None else self.size

    def locate(self, fault: Malformed) -> Malformed:
        """The fault with its position in the body."""
        locate(fault, self.raw, self.root)
        return fault


def parse_request(body: Any, raw: bytes = b"") -> SearchRequest:
    """Reads a search body; None is the empty one. Raises `ApiError` for whatever OpenSearch refuses."""
    request = SearchRequest(root=body, raw=raw)
    try:
        if body is not None:
            read_members(body, request)
    except Malformed as fault:
        raise request.locate(fault) from None
    return request


def read_members(body: Any, request: SearchRequest) -> None:
    """Reads the members of a body into the request."""
    if not isinstance(body, dict):
        raise Malformed(f"Expected [START_OBJECT] but found [{token_name(body)}]", body, None, "start")
    for key, value in body.items():
        table = _OBJECTS if isinstance(value, dict) else _ARRAYS if isinstance(value, list) else _VALUES
        reader = table.get(key) if value is not None else None
        if reader is not None:
            reader(request, value, body)
            continue
        if key in _LATER and key in _KNOWN:
            raise argument(f"[{key}] in a search body is not supported")
        raise Malformed(f"Unknown key for a {token_name(value)} in [{key}].", body, key)


# --- scalars --------------------------------------------------------------------------------------------------------


def set_from(request: SearchRequest, value: int) -> None:
    if value < 0:
        raise argument(f"[from] parameter cannot be negative, found [{value}]")
    request.from_ = value


def set_size(request: SearchRequest, value: int) -> None:
    if value < 0:
        raise argument(f"[size] parameter cannot be negative, found [{value}]")
    request.size = value


def set_terminate_after(request: SearchRequest, value: int) -> None:
    request.terminate_after = max(0, value)


def set_track_total_hits(request: SearchRequest, value: int) -> None:
    if value < -1:
        raise argument(f"[track_total_hits] parameter must be positive or equals to -1, got {value}")
    request.track_total_hits = value


def _track_total_hits(request: SearchRequest, value: Any, node: Any) -> None:
    if isinstance(value, bool) or value in ("true", "false"):
        request.track_total_hits = ACCURATE if value in (True, "true") else -1
    else:
        request.track_total_hits = read_int(value, node, "track_total_hits")


def _timeout(request: SearchRequest, value: Any, node: Any) -> None:
    if value is None:
        return
    milliseconds = time_ms(read_text(value, node, "timeout"), "timeout")
    request.timeout_ms = int(milliseconds) if milliseconds >= 0 else None


def _flag(name: str) -> Callable[[SearchRequest, Any, Any], None]:
    def read(request: SearchRequest, value: Any, node: Any) -> None:
        setattr(request, name, read_bool(value, node, name))

    return read


def _min_score(request: SearchRequest, value: Any, node: Any) -> None:
    request.min_score = read_float(value, node, "min_score")


def _sort(request: SearchRequest, value: Any, _node: Any) -> None:
    request.sort = value if isinstance(value, list) else [value]


def _source(request: SearchRequest, value: Any, node: Any) -> None:
    request.source = read_source(value, node, "_source")


def _stored_fields(request: SearchRequest, value: Any, node: Any) -> None:
    request.stored_fields = read_stored_fields(value, node)


# --- objects and arrays ---------------------------------------------------------------------------------------------


def _set(name: str) -> Callable[[SearchRequest, Any, Any], None]:
    def read(request: SearchRequest, value: Any, _node: Any) -> None:
        setattr(request, name, value)

    return read


def _ext(_request: SearchRequest, value: Any, node: Any) -> None:
    for key in value:
        del node
        raise x_content("unknown named object category [org.opensearch.search.SearchExtBuilder]", None, key)


def _fields(name: str) -> Callable[[SearchRequest, Any, Any], None]:
    def read(request: SearchRequest, value: Any, _node: Any) -> None:
        setattr(request, name, read_field_requests(value))

    return read


def _search_after(request: SearchRequest, value: Any, _node: Any) -> None:
    for number, item in enumerate(value):
        if isinstance(item, (dict, list)):
            reason = (
                f"Expected [VALUE_STRING] or [VALUE_NUMBER] or [VALUE_BOOLEAN] or [VALUE_NULL] "
                f"but found [{token_name(item)}] inside search_after."
            )
            raise Malformed(reason, value, number)
    if not value:
        raise argument("Values must contains at least one value.")
    request.search_after = value


def _indices_boost(request: SearchRequest, value: Any, node: Any) -> None:
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, dict):
            reason = f"Expected [START_OBJECT] in [indices_boost] but found [{token_name(item)}]"
            raise Malformed(reason, node, "indices_boost")
        if len(item) > 1 and isinstance(value, list):
            raise Malformed(
                "Expected [END_OBJECT] in [indices_boost] but found [FIELD_NAME]", item, list(item)[1], "key"
            )
        for name, boost in item.items():
            if isinstance(boost, bool) or not isinstance(boost, int | float):
                reason = f"Expected [VALUE_NUMBER] in [indices_boost] but found [{token_name(boost)}]"
                raise Malformed(reason, item, name)
            request.indices_boost.append((name, float(boost)))


def _point_in_time(request: SearchRequest, value: Any, _node: Any) -> None:
    for key, item in value.items():
        if key not in ("id", "keep_alive"):
            raise x_content(f"[pit] unknown field [{key}]", value, key)
        read_text(item, value, key)
    if "id" not in value:
        raise argument("point int time id is not provided")
    request.pit_id = value["id"]
    request.pit_keep_alive = value.get("keep_alive")
    if request.pit_keep_alive is not None:
        try:
            time_ms(request.pit_keep_alive, "keep_alive")
        except ApiError as error:
            raise failed_field("pit", "keep_alive", error, value) from None


def _slice(request: SearchRequest, value: Any, _node: Any) -> None:
    for key in value:
        if key not in ("field", "id", "max"):
            raise x_content(f"[slice] unknown field [{key}]", value, key)
    number = read_int(value.get("id", -1), value, "id")
    total = read_int(value.get("max", -1), value, "max")
    if number < 0:
        raise argument("id must be greater than or equal to 0")
    if total <= 1:
        raise failed_field("slice", "max", argument("max must be greater than 1"), value)
    if number >= total:
        raise failed_field("slice", "max", argument("max must be greater than id"), value)
    request.slice = (text_of(value.get("field", "_id")), number, total)


def _stats(request: SearchRequest, value: Any, _node: Any) -> None:
    request.stats = [read_text(item, value, n) for n, item in enumerate(value)]


Reader = Callable[[SearchRequest, Any, Any], None]

_VALUES: dict[str, Reader] = {
    "from": lambda request, value, node: set_from(request, read_int(value, node, "from")),
    "size": lambda request, value, node: set_size(request, read_int(value, node, "size")),
    "timeout": _timeout,
    "terminate_after": lambda request, value, node: set_terminate_after(
        request, read_int(value, node, "terminate_after")
    ),
    "min_score": _min_score,
    "minScore": _min_score,
    "version": _flag("version"),
    "seq_no_primary_term": _flag("seq_no_primary_term"),
    "explain": _flag("explain"),
    "track_scores": _flag("track_scores"),
    "include_named_queries_score": lambda request, value, node: setattr(
        request, "named_scores", read_bool(value, node, "include_named_queries_score")
    ),
    "track_total_hits": _track_total_hits,
    "_source": _source,
    "stored_fields": _stored_fields,
    "sort": _sort,
    "profile": _flag("profile"),
    "search_pipeline": lambda *_: None,
    "verbose_pipeline": lambda *_: None,
}
_OBJECTS: dict[str, Reader] = {
    "query": _set("query"),
    "post_filter": _set("post_filter"),
    "_source": _source,
    "indices_boost": _indices_boost,
    "aggregations": _set("aggs"),
    "aggs": _set("aggs"),
    "highlight": _set("highlight"),
    "sort": _sort,
    "ext": _ext,
    "slice": _slice,
    "pit": _point_in_time,
    "point_in_time": _point_in_time,
}
_ARRAYS: dict[str, Reader] = {
    "stored_fields": _stored_fields,
    "docvalue_fields": _fields("docvalue_fields"),
    "fields": _fields("fields"),
    "indices_boost": _indices_boost,
    "sort": _sort,
    "stats": _stats,
    "_source": _source,
    "search_after": _search_after,
}
_LATER = frozenset({"script_fields", "suggest", "rescore", "collapse", "derived"})
_KNOWN = _LATER


def check_request(request: SearchRequest, scroll: bool, total_as_int: bool, cached: bool = False) -> None:
    """The rules between members."""
    problems: list[str] = []
    if scroll:
        if request.track_total_hits not in (None, ACCURATE):
            problems.append("disabling [track_total_hits] is not allowed in a scroll context")
        if request.first > 0:
            problems.append("using [from] is not allowed in a scroll context")
        if request.size == 0:
            problems.append("[size] cannot be [0] in a scroll context")
        if cached:
            problems.append("[request_cache] cannot be used in a scroll context")
        if request.pit_id is not None:
            problems.append("using [point in time] is not allowed in a scroll context")
    if request.pit_id is None and _sorts_by_place(request.sort):
        problems.append("_shard_doc is only supported with point-in-time (PIT). Add a PIT or remove _shard_doc.")
    if problems:
        text = "".join(f"{number}: {problem};" for number, problem in enumerate(problems, 1))
        raise ApiError(400, "action_request_validation_exception", f"Validation Failed: {text}")
    if total_as_int:
        if request.track_total_hits is None:
            request.track_total_hits = ACCURATE
        elif request.track_total_hits not in (ACCURATE, -1):
            raise argument(
                "[rest_total_hits_as_int] cannot be used if the tracking of total hits is not accurate, "
                f"got {request.track_total_hits}"
            )
    if scroll:
        request.track_total_hits = ACCURATE


def _sorts_by_place(sort: Any) -> bool:
    return isinstance(sort, list) and any(
        key == "_shard_doc" or (isinstance(key, dict) and "_shard_doc" in key) for key in sort
    )


def read_terminate_after(value: Any) -> int:
    return read_long(value)
