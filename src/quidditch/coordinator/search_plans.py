"""Plans of searches per index: the context a query is compiled in, and a cache of kernel plans by body and mapping."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

import quidditch_kernel
from quidditch.coordinator.mappings import IndexMapping, Mappings
from quidditch.coordinator.search_targets import SearchTarget
from quidditch.mapping import parse
from quidditch.model.errors import ApiError
from quidditch.model.objects import Index
from quidditch.model.state import ClusterState
from quidditch.query.aggs.pipeline.compiler import Level
from quidditch.query.context import QueryContext, QuerySettings, TermsLookup, Token
from quidditch.query.errors import ShardError
from quidditch.query.ops import Op, any_of
from quidditch.query.plan import compile_query, compile_request, parse_failure
from quidditch.query.request import SearchRequest
from quidditch.transport.errors import from_kernel
from quidditch_kernel import KernelError

if TYPE_CHECKING:
    from quidditch_kernel import Plan

KEEP = 1024
MAX_CACHED_BODY = 16_384
_EMPTY = parse({})
Lookups = dict[TermsLookup, list[Any]]


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a request's URL shapes its plan."""

    typed_keys: bool = False
    total_as_int: bool = False
    scroll: bool = False


@dataclass(slots=True)
class Pace:
    """How long a plan's last runs took in the kernel, in seconds. One slow run, as a busy machine makes them, counts in part."""

    seconds: float | None = None

    def note(self, seconds: float) -> None:
        self.seconds = seconds if self.seconds is None else min(seconds, self.seconds * 4)


@dataclass(frozen=True, slots=True)
class CompiledPlan:
    """A plan as the kernel holds it, and its JSON for variants of it. `groups`: whose statistics it counts for.

    `pipelines`: what is computed over its finished aggregations.
    """

    kernel: Plan
    body: dict[str, Any]
    named: bool = False
    groups: tuple[str, ...] = ()
    pipelines: Level | None = None
    pace: Pace = field(default_factory=Pace)


@dataclass(slots=True)
class CachedSearch:
    """A whole search of one index, valid as long as mapping and settings are these very objects."""

    mapping: IndexMapping
    index_settings: dict[str, Any]
    cluster_settings: Any
    request: SearchRequest
    shape: Shape
    plan: CompiledPlan


Recent = tuple[CompiledPlan, SearchTarget, bool]
"""A plan, its index and shards, and whether those that cannot match are left out."""


class Plans:
    """Compiles requests; used from the event loop's thread."""

    def __init__(self, mappings: Mappings) -> None:
        self._mappings = mappings
        self._settings: dict[str, tuple[Any, Any, QuerySettings]] = {}
        self._cache: dict[Any, CachedSearch] = {}
        self._state: ClusterState | None = None
        self._recent: dict[Any, Recent] = {}

    # --- the cache --------------------------------------------------------------------------------------------------

    def recent(self, state: ClusterState, key: Any) -> Recent | None:
        """What was used for this key since the cluster's state is the one it is: nothing of it needs a look."""
        return self._recent.get(key) if state is self._state else None

    def use(self, state: ClusterState, key: Any, plan: CompiledPlan, target: SearchTarget, filters: bool) -> None:
        """Keeps what holds for this key under this state."""
        if state is not self._state or len(self._recent) >= KEEP:
            self._state = state
            self._recent.clear()
        self._recent[key] = plan, target, filters

    def cached(self, state: ClusterState, index: Index, key: Any) -> CachedSearch | None:
        """What was compiled for this key before, if it still holds."""
        found = self._cache.get((index.uuid, key))
        if found is None:
            return None
        valid = (
            found.index_settings is index.spec.settings
            and found.cluster_settings is state.settings
            and found.mapping is self._mappings.get(index)
        )
        return found if valid else None

    def remember(
        self, state: ClusterState, index: Index, key: Any, request: SearchRequest, shape: Shape, plan: CompiledPlan
    ) -> None:
        while len(self._cache) >= KEEP:
            del self._cache[next(iter(self._cache))]
        self._cache[(index.uuid, key)] = CachedSearch(
            self._mappings.get(index), index.spec.settings, state.settings, request, shape, plan
        )

    # --- compiling --------------------------------------------------------------------------------------------------

    def context(
        self,
        state: ClusterState,
        index: Index,
        now_ms: int,
        lookups: Lookups | None = None,
        names: frozenset[str] = frozenset(),
    ) -> QueryContext:
        """The context of queries on an index. Raises the kernel's error for analysis that cannot be built."""
        mapping = self._mappings.get(index)
        kernel = mapping.kernel

        def tokens(analyzer: str, text: str) -> Sequence[Token]:
            try:
                return kernel.tokens(analyzer, text)
            except KernelError as error:
                raise from_kernel(error) from None

        def normalize(analyzer: str, text: str) -> str:
            try:
                return kernel.normalize(analyzer, text)
            except KernelError as error:
                raise from_kernel(error) from None

        return QueryContext(
            mapping=mapping.root,
            tokens=tokens,
            normalize=normalize,
            parse_date=date_parser,
            now_ms=now_ms,
            has_analyzer=lambda name: _succeeds(lambda: kernel.tokens(name, "")),
            index=index.name,
            uuid=index.uuid,
            aliases=names,
            settings=self.settings(state, index),
            lookup=None if lookups is None else lambda wanted: lookups.get(wanted, []),
        )

    def blank(self, state: ClusterState, now_ms: int) -> QueryContext:
        """The context of no index: everything is unmapped, nothing is a failure of an index."""
        return QueryContext(
            mapping=_EMPTY,
            tokens=lambda _analyzer, _text: [],
            normalize=lambda _analyzer, text: text,
            parse_date=date_parser,
            now_ms=now_ms,
            has_analyzer=lambda _name: True,
            settings=cluster_settings(state),
        )

    def settings(self, state: ClusterState, index: Index) -> QuerySettings:
        known = self._settings.get(index.uuid)
        if known is not None and known[0] is index.spec.settings and known[1] is state.settings:
            return known[2]
        built = query_settings(state, index)
        if len(self._settings) > 4096:
            self._settings.clear()
        self._settings[index.uuid] = (index.spec.settings, state.settings, built)
        return built

    def compile(
        self,
        state: ClusterState,
        target: SearchTarget,
        request: SearchRequest,
        shape: Shape,
        lookups: Lookups | None = None,
        boost: float = 1.0,
    ) -> tuple[CompiledPlan, bool]:
        """The plan for one index, and whether it may be kept.

        Raises `ShardError` for what fails on this index only, other `ApiError` for a request that is wrong on any.
        """
        now_ms = time.time_ns() // 1_000_000
        ctx = self.context(state, target.index, now_ms, lookups, target.names)
        try:
            narrowed = self.alias_filter(ctx, target)
            plan = compile_request(request, ctx, shape.typed_keys, shape.total_as_int, shape.scroll, narrowed, boost)
        except ShardError as error:
            worse = parse_failure(request, self.blank(state, now_ms))
            raise (worse or error) from None
        body = plan.body
        data = plan.kernel
        if shape.scroll:
            body = {**body, "scroll": True}
            data = orjson.dumps(body)
        reusable = plan.reusable and narrowed is None and boost == 1.0 and request.slice is None
        return CompiledPlan(kernel_plan(data), body, ctx.named, tuple(request.stats), plan.pipelines), reusable

    def alias_filter(self, ctx: QueryContext, target: SearchTarget) -> Op | None:
        """The alias's filters and the slice as one operation."""
        parts: list[Op] = []
        if target.filters is not None:
            outer, ctx.in_filter = ctx.in_filter, True
            parts.append(any_of([compile_query(item, ctx) for item in target.filters]))
            ctx.in_filter = outer
        if target.share is not None:
            parts.append({"slice": {"id": target.share[0], "max": target.share[1]}})
        return {"bool": {"filter": parts}} if len(parts) > 1 else parts[0] if parts else None

    def check(self, state: ClusterState, request: SearchRequest) -> None:
        """Checks a request that meets no index."""
        error = parse_failure(request, self.blank(state, time.time_ns() // 1_000_000))
        if error is not None:
            raise error


def kernel_plan(data: bytes) -> Plan:
    try:
        return quidditch_kernel.Plan(data)
    except KernelError as error:
        raise _as_shard_error(error) from None


def _as_shard_error(error: KernelError) -> ApiError:
    found = from_kernel(error)
    return ShardError(found.status, found.type, found.reason, found.details)


def date_parser(text: str, format: str, now_ms: int, round_up: bool, time_zone: str | None, nanos: bool) -> int:
    """The kernel's date parsing with the API's errors."""
    try:
        return quidditch_kernel.parse_date(text, format, now_ms, round_up, time_zone, nanos)
    except KernelError as error:
        raise from_kernel(error) from None


def _succeeds(call: Callable[[], Any]) -> bool:
    try:
        call()
    except KernelError:
        return False
    return True


def cluster_settings(state: ClusterState) -> QuerySettings:
    """Limits of the cluster alone."""
    get = state.settings.get
    return QuerySettings(
        max_clause_count=int(get("indices.query.bool.max_clause_count") or 1024),
        allow_expensive_queries=str(get("search.allow_expensive_queries")).lower() != "false",
        max_buckets=int(get("search.max_buckets") or 65_535),
        analyze_wildcard=str(get("indices.query.query_string.analyze_wildcard")).lower() == "true",
    )


_NUMBERS = {
    "max_result_window": "index.max_result_window",
    "max_inner_result_window": "index.max_inner_result_window",
    "max_rescore_window": "index.max_rescore_window",
    "max_docvalue_fields_search": "index.max_docvalue_fields_search",
    "max_script_fields": "index.max_script_fields",
    "max_terms_count": "index.max_terms_count",
    "max_regex_length": "index.max_regex_length",
    "max_slices": "index.max_slices_per_scroll",
    "max_slices_per_pit": "index.max_slices_per_pit",
    "max_nested_depth": "index.query.max_nested_depth",
    "max_analyzed_offset": "index.highlight.max_analyzed_offset",
}


def query_settings(state: ClusterState, index: Index) -> QuerySettings:
    """Limits and defaults of an index."""
    settings = index.spec.settings
    base = cluster_settings(state)
    changes: dict[str, Any] = {
        name: int(settings[key]) for name, key in _NUMBERS.items() if settings.get(key) is not None
    }
    fields = settings.get("index.query.default_field")
    if fields:
        changes["default_field"] = tuple(fields if isinstance(fields, list) else str(fields).split(","))
    if settings.get("index.query_string.lenient") is not None:
        changes["query_string_lenient"] = str(settings["index.query_string.lenient"]).lower() == "true"
    kept = {
        name: getattr(base, name)
        for name in ("max_clause_count", "allow_expensive_queries", "max_buckets", "analyze_wildcard")
    }
    return QuerySettings(**kept, **changes)
