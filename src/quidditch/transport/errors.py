"""Errors on their way between nodes: an :class:`ApiError` as bytes and back, nothing of it lost."""

from __future__ import annotations

from typing import Any

import msgspec

from quidditch.model.errors import ApiError
from quidditch.transport.api import Remote


class _Error(msgspec.Struct, frozen=True):
    status: int
    type: str
    reason: str | None
    details: dict[str, Any]
    root_cause: list[dict[str, Any]] | None
    headers: dict[str, str]


def encode(error: Exception) -> bytes:
    """What is no :class:`ApiError` becomes one of status 500 that names it."""
    if not isinstance(error, ApiError):
        error = ApiError(500, "exception", f"{type(error).__name__}: {error}")
    causes = None if error.root_cause is None else [dict(cause) for cause in error.root_cause]
    return msgspec.msgpack.encode(_Error(error.status, error.type, error.reason, error.details, causes, error.headers))


def decode(data: bytes) -> Remote:
    found = msgspec.msgpack.decode(data, type=_Error)
    return Remote(found.status, found.type, found.reason, found.details, found.root_cause, found.headers)
