"""wrapper: a query as base64 text."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import orjson

from quidditch.query.compiler import compile_query
from quidditch.query.context import QueryContext
from quidditch.query.errors import Malformed, argument
from quidditch.query.ops import Op
from quidditch.query.values import read_text


def wrapper(body: dict[str, Any], ctx: QueryContext) -> Op:
    for key, value in body.items():
        if key != "query":
            raise Malformed(f"[wrapper] query malformed, expected `query` but was {key}", body, key)
        source = read_text(value, body, key)
    if not body:
        raise Malformed("[wrapper] query malformed", body, None, "end")
    if not source:
        raise argument("query source text cannot be null or empty")
    try:
        query = orjson.loads(base64.b64decode(source, validate=True))
    except (binascii.Error, ValueError):
        raise argument("[wrapper] query malformed, the query is no base64 text of a JSON object") from None
    return compile_query(query, ctx)
