"""Errors as OpenSearch's clients know them: a type, a reason, a status.

Every module raises :class:`ApiError` for what the user did or must know; `rest` renders it. Anything else that
escapes is a bug (500).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class ApiError(Exception):
    """An error body: ``{"error": {"type", "reason", "root_cause": […], **details}, "status": N}``.

    `type` is OpenSearch's (`index_not_found_exception`), `details` are further members of the body (`index`,
    `index_uuid`, `caused_by`…),
    `root_cause` defaults to the error itself.
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
        self.status = status
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
