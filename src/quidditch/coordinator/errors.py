"""Errors between their forms: the API's, and the objects that stand in the items of answers."""

from __future__ import annotations

from typing import Any

import orjson

from quidditch.model.errors import ApiError


def error_object(error: ApiError) -> bytes:
    """The error as the kernel puts it into the answer of an item."""
    return orjson.dumps({**error.body(), "status": error.status})


def from_object(error: dict[str, Any], status: int) -> ApiError:
    """An item's error as the error of the whole request."""
    details = {key: value for key, value in error.items() if key not in ("type", "reason", "status")}
    return ApiError(status, error.get("type", "exception"), error.get("reason"), details, _root(error))


def _root(error: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The innermost cause that is the mapping's own; None where that is the error itself."""
    innermost = error
    while (cause := innermost.get("caused_by")) and cause.get("type") == "mapper_parsing_exception":
        innermost = cause
    return None if innermost is error else [{"type": innermost["type"], "reason": innermost.get("reason")}]
