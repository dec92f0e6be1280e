"""Requests as an ASGI server hands them over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def scope(method: str, target: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """The scope of a request for a path, with or without a query string."""
    path, _, query = target.partition("?")
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
