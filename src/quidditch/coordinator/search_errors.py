"""Failures of shards, grouped as OpenSearch groups them, and the error of a search that nothing answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from quidditch.model.errors import ApiError

_PLAIN = frozenset(
    {
        "illegal_argument_exception",
        "illegal_state_exception",
        "number_format_exception",
        "null_pointer_exception",
        "rejected_execution_exception",
        "unsupported_operation_exception",
        "arithmetic_exception",
        "x_content_parse_exception",
    }
)
"""Types that are no exceptions of OpenSearch's own; as the cause of a search's error they are wrapped once more."""


_FOREIGN = frozenset(
    {
        "date_time_parse_exception",
        "query_validation_exception",
        "too_many_clauses",
        "too_many_nested_clauses",
        "zone_rules_exception",
    }
)


@dataclass(frozen=True, slots=True)
class ShardFailure:
    """Why one shard gave no answer. `node` is None where no copy could be asked."""

    index: str
    shard: int
    node: str | None
    error: ApiError

    def to_json(self) -> dict[str, Any]:
        return {"shard": self.shard, "index": self.index, "node": self.node, "reason": self.error.body()}


def grouped(failures: Sequence[ShardFailure]) -> list[ShardFailure]:
    """One of each kind: same index, same error."""
    found: dict[tuple[str, str, str | None], ShardFailure] = {}
    for failure in failures:
        found.setdefault((failure.index, failure.error.type, failure.error.reason), failure)
    return list(found.values())


def phase_failed(failures: Sequence[ShardFailure], phase: str = "query", reason: str = "all shards failed") -> ApiError:
    """search_phase_execution_exception."""
    groups = grouped([failure for failure in failures if failure.node is not None])
    details: dict[str, Any] = {
        "phase": phase,
        "grouped": True,
        "failed_shards": [failure.to_json() for failure in groups],
    }
    if not groups:
        return ApiError(503, "search_phase_execution_exception", reason, details, root_cause=[])
    first = groups[0].error
    cause = _deepest(first.body())
    if first.type in _PLAIN:
        plain = {key: value for key, value in cause.items() if key in ("type", "reason")}
        cause = {**plain, "caused_by": first.body()}
    details["caused_by"] = cause
    roots = [_root(failure.error) for failure in groups]
    status = next((failure.error.status for failure in groups if failure.error.status >= 500), first.status)
    return ApiError(status, "search_phase_execution_exception", reason, details, root_cause=roots)


def missing_shards(missing: Sequence[ShardFailure], phase: str) -> ApiError:
    """What refuses a search of shards that have no copy, where nothing partial is wanted: the phase fails before it asks anybody."""
    named = ", ".join(f"[{failure.index}][{failure.shard}]" for failure in missing)
    reason = (
        f"Search rejected due to missing shards [{named}]. Consider using `allow_partial_search_results` setting to bypass this "
        "error."
    )
    details: dict[str, Any] = {"phase": phase, "grouped": True, "failed_shards": []}
    cause = {"type": "search_phase_execution_exception", "reason": reason, **details}
    return ApiError(503, "search_phase_execution_exception", "", {**details, "caused_by": cause}, root_cause=[])


def _root(error: ApiError) -> dict[str, Any]:
    return {key: value for key, value in _deepest(error.body()).items() if key != "caused_by"}


def _deepest(body: dict[str, Any]) -> dict[str, Any]:
    """The innermost cause that is an exception of OpenSearch's own."""
    cause = body.get("caused_by")
    while isinstance(cause, dict) and cause.get("type") not in _PLAIN and cause.get("type") not in _FOREIGN:
        if str(body.get("reason")).startswith("Failed to parse query ["):
            # What follows is Lucene's.
            break
        body, cause = cause, cause.get("caused_by")
    return body


def shards_section(total: int, failures: Sequence[ShardFailure], skipped: int = 0) -> dict[str, Any]:
    """`_shards` of an answer."""
    section: dict[str, Any] = {
        "total": total,
        "successful": total - len(failures),
        "skipped": skipped,
        "failed": len(failures),
    }
    shown = [failure for failure in failures if failure.node is not None]
    if shown:
        section["failures"] = [failure.to_json() for failure in grouped(shown)]
    return section
