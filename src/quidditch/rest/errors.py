"""Exceptions to error answers."""

from __future__ import annotations

import logging
import traceback
from typing import Any

import orjson

from quidditch.model.errors import ApiError
from quidditch.rest.response import Response

log = logging.getLogger("quidditch.rest")


def from_kernel(error: BaseException) -> ApiError:
    """The kernel's error as the API's; details are taken over."""
    args = (*error.args, None, None, None, None)
    details: dict[str, Any] = {}
    if args[3]:
        parsed = orjson.loads(args[3])
        if isinstance(parsed, dict):
            details = parsed
    return ApiError(int(args[2] or 500), str(args[0]), None if args[1] is None else str(args[1]), details)


def is_kernel_error(error: BaseException) -> bool:
    """Whether this is `quidditch_kernel.KernelError`, told without loading the kernel."""
    return type(error).__name__ == "KernelError" and type(error).__module__ in (
        "_native",
        "quidditch_kernel",
        "quidditch_kernel._native",
    )


def response_of(error: BaseException, what: str, trace: bool) -> Response:
    """Renders any exception; what nobody foresaw becomes a 500 and a log line."""
    if isinstance(error, ApiError):
        api = error
    elif is_kernel_error(error):
        api = from_kernel(error)
    elif isinstance(error, RecursionError):
        api = ApiError(400, "illegal_argument_exception", "the request is nested too deeply")
    elif isinstance(error, MemoryError):
        api = ApiError(429, "circuit_breaking_exception", "out of memory", {"durability": "TRANSIENT"})
    else:
        log.error("%s failed", what, exc_info=error)
        api = ApiError(500, "exception", f"{type(error).__name__}: {error}")
    body = api.response()
    if trace:
        _add_trace(body, error)
    response = Response.json(body, api.status)
    for name, value in api.headers.items():
        response.header(name, value)
    return response


def _add_trace(body: dict[str, Any], error: BaseException) -> None:
    text = "".join(traceback.format_exception(error))
    body["error"]["stack_trace"] = text
    for cause in body["error"]["root_cause"]:
        cause["stack_trace"] = text


def simple(status: int, text: str) -> Response:
    """`{"error": text, "status": …}`, the form of what the router itself refuses."""
    return Response.json({"error": text, "status": status}, status)
