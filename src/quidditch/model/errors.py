"""Errors as OpenSearch's clients know them: a type, a reason, a status.

Every module raises :class:`ApiError` for what the user did or must know; `rest` renders it. Anything else that
escapes is a bug (500).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

REQUEST_FAULTS = frozenset(
    {
        "aggregation_execution_exception",  # terms ordered by what is not there, a nested path that is not nested
        "arithmetic_exception",
        "array_index_out_of_bounds_exception",
        "class_cast_exception",
        "illegal_state_exception",  # two write indices of an alias, too many tokens of _analyze, positions that are not indexed
        "null_pointer_exception",
        "runtime_exception",  # rules of char filters and token filters
        "search_exception",
        "string_index_out_of_bounds_exception",
        "task_cancelled_exception",  # somebody asked for the end of the task
        "too_many_buckets_exception",  # 503 in OpenSearch; it is the same tomorrow
        "unsupported_operation_exception",  # _cat sorted by a column that is not there
    }
)
"""Types that OpenSearch answers with 500 or 503, though the request is at fault: here they are 400.

A deliberate departure: clients and proxies send a request again that got a 5xx, and whoever watches a cluster takes it for a fault of the
server. Type and reason stay OpenSearch's. What is the server's fault (`io_exception`, `corruption_exception`, shards that nobody has,
bugs) has types that are not listed here.
"""


class ApiError(Exception):
    """An error body: ``{"error": {"type", "reason", "root_cause": […], **details}, "status": N}``.

    `type` is OpenSearch's (`index_not_found_exception`), `details` are further members of the body (`index`,
    `index_uuid`, `caused_by`…), `root_cause` defaults to the error itself. `status` is OpenSearch's, but for :data:`REQUEST_FAULTS`.
    """

    def __init__(
        self,
        status: int,
        type: str,
        reason: str | None,
        details: Mapping[str, Any] | None = None,
        root_cause: Sequence[Mapping[str, Any]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{type}: {reason}")
        self.status = 400 if status >= 500 and type in REQUEST_FAULTS else status
        self.type = type
        self.reason = reason
        self.details = dict(details or {})
        self.root_cause = root_cause
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """The `error` object without `root_cause`."""
        return {"type": self.type, "reason": self.reason, **self.details}

    def response(self) -> dict[str, Any]:
        root = [dict(cause) for cause in self.root_cause] if self.root_cause is not None else [_cause(self.body())]
        return {"error": {"root_cause": root, **self.body()}, "status": self.status}


_PLAIN = ("illegal_argument_exception", "illegal_state_exception", "number_format_exception", "class_cast_exception")
"""Errors that are not OpenSearch's own: as a root cause they are shown bare."""


def _cause(body: dict[str, Any]) -> dict[str, Any]:
    """An error as a root cause: without what caused it."""
    root = {key: value for key, value in body.items() if key not in ("caused_by", "suppressed")}
    if "suppressed" in body and body["type"] not in _PLAIN:
        root["suppressed"] = [_cause(other) for other in body["suppressed"]]
    return root


def illegal_argument(reason: str) -> ApiError:
    return ApiError(400, "illegal_argument_exception", reason)


def parsing(reason: str, line: int | None = None, col: int | None = None) -> ApiError:
    where = {} if line is None else {"line": line, "col": col}
    return ApiError(400, "parsing_exception", reason, where)


def mapper_parsing(reason: str, caused_by: Mapping[str, Any] | None = None) -> ApiError:
    return ApiError(400, "mapper_parsing_exception", reason, {"caused_by": dict(caused_by)} if caused_by else None)


def validation(*problems: str) -> ApiError:
    text = "".join(f"{number}: {problem};" for number, problem in enumerate(problems, 1))
    return ApiError(400, "action_request_validation_exception", f"Validation Failed: {text}")


def index_not_found(index: str, uuid: str = "_na_") -> ApiError:
    details = {"index": index, "resource.id": index, "resource.type": "index_or_alias", "index_uuid": uuid}
    return ApiError(404, "index_not_found_exception", f"no such index [{index}]", details)


def index_exists(index: str, uuid: str) -> ApiError:
    return ApiError(
        400,
        "resource_already_exists_exception",
        f"index [{index}/{uuid}] already exists",
        {"index": index, "index_uuid": uuid},
    )


def version_conflict(index: str, uuid: str, shard: int, id: str, problem: str) -> ApiError:
    details = {"index": index, "shard": str(shard), "index_uuid": uuid}
    return ApiError(409, "version_conflict_engine_exception", f"[{id}]: version conflict, {problem}", details)


def rejected(reason: str) -> ApiError:
    return ApiError(429, "rejected_execution_exception", reason)
