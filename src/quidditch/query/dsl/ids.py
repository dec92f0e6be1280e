"""ids: documents by their id."""

from __future__ import annotations

from typing import Any

from quidditch.query import ops
from quidditch.query.context import QueryContext
from quidditch.query.dsl.single import dressed
from quidditch.query.errors import Malformed, argument, did_you_mean, parse_wrapped
from quidditch.query.ops import Op
from quidditch.query.values import is_value, text_of, token_name

_KEYS = ("values", "boost", "_name")


def ids(body: dict[str, Any], ctx: QueryContext) -> Op:
    for key in body:
        if key not in _KEYS:
            raise parse_wrapped("ids", f"unknown field [{key}]{did_you_mean(key, _KEYS)}", body, key)
    values = body.get("values", [])
    items = values if isinstance(values, list) else [values]
    for item in items:
        if item is None:
            raise argument("[ids] requires values")
        if not is_value(item):
            raise Malformed(
                f"Illegal value for id, expecting a string or number, got: {token_name(item)}", body, "values"
            )
    ctx.count_clause()
    op: Op = {"ids": {"values": [text_of(item) for item in items]}} if items else ops.no_docs()
    return dressed(op, body, ctx, "ids")
