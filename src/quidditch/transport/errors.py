"""Errors on their way between nodes: an :class:`ApiError` as bytes and back, nothing of it lost; and what else may go wrong
as an :class:`ApiError`.
"""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from quidditch.model.errors import ApiError
from quidditch.transport.api import NotSent, Overloaded, Remote, TimedOut, TransportError, UnknownAction
from quidditch.transport.shards import ShardMissing
from quidditch_kernel import KernelError


class _Error(msgspec.Struct, frozen=True):
    status: int
    type: str
    reason: str | None
    details: dict[str, Any]
    root_cause: list[dict[str, Any]] | None
    headers: dict[str, str]


MISSING = "shard_not_found_exception"
"""What a :class:`ShardMissing` is called on its way."""


def from_kernel(error: KernelError) -> ApiError:
    """The kernel's error as the API's."""
    args = (*error.args, None, None, None, None)
    details = orjson.loads(args[3]) if args[3] else {}
    reason = None if args[1] is None else str(args[1])
    return ApiError(int(args[2] or 500), str(args[0]), reason, details if isinstance(details, dict) else {})


class CallFailed(ApiError):
    """A call that failed on its way, as OpenSearch names it: another node may be asked instead."""


def from_transport(error: TransportError, node: str, action: str) -> CallFailed:
    where = f"[{node}][{action}]"
    if isinstance(error, Overloaded):
        return CallFailed(429, "rejected_execution_exception", f"{where} {error}")
    if isinstance(error, TimedOut):
        return CallFailed(500, "receive_timeout_transport_exception", f"{where} {error}")
    if isinstance(error, UnknownAction):
        return CallFailed(500, "action_not_found_transport_exception", f"{where} {error}")
    if isinstance(error, NotSent):
        return CallFailed(500, "node_not_connected_exception", f"{where} Node not connected")
    return CallFailed(500, "node_disconnected_exception", f"{where} disconnected")


def api_error(error: Exception) -> ApiError:
    """What is no :class:`ApiError` and none of the kernel's becomes one of status 500 that names it."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, KernelError):
        return from_kernel(error)
    if isinstance(error, ShardMissing):
        return ApiError(404, MISSING, str(error) or "no such shard")
    return ApiError(500, "exception", f"{type(error).__name__}: {error}")


def encode(error: Exception) -> bytes:
    """See :func:`api_error`."""
    error = api_error(error)
    causes = None if error.root_cause is None else [dict(cause) for cause in error.root_cause]
    return msgspec.msgpack.encode(_Error(error.status, error.type, error.reason, error.details, causes, error.headers))


def decode(data: bytes) -> Remote:
    found = msgspec.msgpack.decode(data, type=_Error)
    return Remote(found.status, found.type, found.reason, found.details, found.root_cause, found.headers)
