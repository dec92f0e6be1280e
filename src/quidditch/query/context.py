"""What a query is compiled against: one index's mapping and settings, and the callables that reach analysis and dates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from quidditch.model.errors import ApiError
from quidditch.query.errors import QueryFault, ShardError, ShardQuery

Token = tuple[str, int, int, int, int]
"""Term, position, position length, start and end offset."""


class Field(Protocol):
    """A leaf of the mapping, aliases already followed."""

    @property
    def path(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def params(self) -> Mapping[str, Any]: ...
    @property
    def nested(self) -> str | None: ...
    @property
    def indexed(self) -> bool: ...
    @property
    def doc_values(self) -> bool: ...
    @property
    def analyzer(self) -> str | None: ...
    @property
    def search_analyzer(self) -> str | None: ...
    @property
    def search_quote_analyzer(self) -> str | None: ...
    @property
    def normalizer(self) -> str | None: ...
    @property
    def format(self) -> str | None: ...


class Fields(Protocol):
    """The mapping, as far as queries look at it."""

    def field(self, path: str) -> Field | None: ...
    def matching(self, pattern: str) -> Mapping[str, Field]: ...
    def object(self, path: str) -> object | None: ...
    @property
    def nested_paths(self) -> Iterable[str]: ...
    @property
    def source_enabled(self) -> bool: ...


class DateParser(Protocol):
    """Epoch milliseconds (nanoseconds) of a text; raises `ApiError`."""

    def __call__(
        self, text: str, format: str, now_ms: int, round_up: bool, time_zone: str | None, nanos: bool
    ) -> int: ...


@dataclass(frozen=True, slots=True)
class QuerySettings:
    """Limits and defaults of an index (and of the cluster) that queries obey."""

    max_result_window: int = 10_000
    max_inner_result_window: int = 100
    max_rescore_window: int = 10_000
    max_docvalue_fields_search: int = 100
    max_script_fields: int = 32
    max_terms_count: int = 65_536
    max_regex_length: int = 1_000
    max_clause_count: int = 1_024
    max_slices: int = 1_024
    max_slices_per_pit: int = 1_024
    max_nested_depth: int = 20
    max_analyzed_offset: int = 1_000_000
    default_field: tuple[str, ...] = ("*",)
    query_string_lenient: bool = False
    analyze_wildcard: bool = False
    allow_leading_wildcard: bool = True
    allow_expensive_queries: bool = True
    max_buckets: int = 65_535


DEFAULT_SETTINGS = QuerySettings()
MAX_DEPTH = 100
"""How deep queries may stand in each other; each level costs a few frames here and in the kernel."""


@dataclass(frozen=True, slots=True)
class TermsLookup:
    """Values that a `terms` query takes from a document of an index."""

    index: str
    id: str
    path: str
    routing: str | None = None


@dataclass(slots=True)
class QueryContext:
    """The inputs of one compilation, and what it learns on its way (last block)."""

    mapping: Fields
    tokens: Callable[[str, str], Sequence[Token]]
    normalize: Callable[[str, str], str]
    parse_date: DateParser
    now_ms: int
    has_analyzer: Callable[[str], bool]
    index: str = ""
    uuid: str = "_na_"
    aliases: frozenset[str] = frozenset()
    settings: QuerySettings = DEFAULT_SETTINGS
    lookup: Callable[[TermsLookup], Sequence[Any]] | None = None

    uses_now: bool = False
    depth: int = 0
    clauses: int = 0
    in_filter: bool = False
    nested_scope: list[str] = field(default_factory=list)
    nested_depth: int = 0
    named: bool = False
    inner_hits: set[str] = field(default_factory=set)

    def shard_error(self, reason: str, type: str = "query_shard_exception", **details: Any) -> ShardError:
        """A failure that names the index."""
        return ShardError(400, type, reason, {"index": self.index, "index_uuid": self.uuid, **details})

    def from_fault(self, fault: QueryFault) -> ShardError:
        if isinstance(fault, ShardQuery):
            return self.shard_error(fault.reason)
        cause: dict[str, Any] = {"type": fault.type, "reason": fault.reason}
        if fault.caused_by:
            cause["caused_by"] = dict(fault.caused_by)
        return self.shard_error(f"failed to create query: {fault.reason}", caused_by=cause)

    def field(self, path: str) -> Field | None:
        """The field at a path; metadata fields are none."""
        found = self.mapping.field(path)
        return None if found is None or found.type[0] == "_" else found

    def date(self, text: str, format: str, round_up: bool, time_zone: str | None, nanos: bool) -> int:
        if text.startswith("now"):
            self.uses_now = True
        try:
            return self.parse_date(text, format, self.now_ms, round_up, time_zone, nanos)
        except ApiError as error:
            if error.reason is not None and error.reason.startswith("Invalid format"):
                raise
            raise ShardError(error.status, error.type, error.reason, error.details) from None

    def analyze(self, analyzer: str, text: str) -> Sequence[Token]:
        try:
            return self.tokens(analyzer, text)
        except ApiError as error:
            raise QueryFault(error.reason or "", error.type) from None

    def normalized(self, analyzer: str, text: str) -> str:
        try:
            return self.normalize(analyzer, text)
        except ApiError as error:
            raise QueryFault(error.reason or "", error.type) from None

    def count_clause(self, number: int = 1) -> None:
        """Counts leaf clauses against the limit."""
        self.clauses += number
        if self.clauses > self.settings.max_clause_count:
            limit = self.settings.max_clause_count
            reason = f"Query contains too many nested clauses; maxClauseCount is set to {limit}"
            raise QueryFault(reason, "too_many_nested_clauses")
