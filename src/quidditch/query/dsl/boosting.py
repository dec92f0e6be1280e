"""boosting: a query whose matches lose score where another query matches too."""

from __future__ import annotations

from typing import Any

from quidditch.query.compiler import compile_query, unsupported
from quidditch.query.context import QueryContext
from quidditch.query.dsl.single import dressed
from quidditch.query.errors import Malformed
from quidditch.query.ops import Op
from quidditch.query.values import read_float


def boosting(body: dict[str, Any], ctx: QueryContext) -> Op:
    parts: dict[str, Op] = {}
    negative_boost = -1.0
    for key, value in body.items():
        if key in ("positive", "negative") and isinstance(value, (dict, list)):
            parts[key] = compile_query(value, ctx, body, key)
        elif isinstance(value, (dict, list)) or key not in ("negative_boost", "boost", "_name"):
            raise unsupported("boosting", body, key)
        elif key == "negative_boost":
            negative_boost = read_float(value, body, key)
    for key in ("positive", "negative"):
        if key not in parts:
            raise Malformed(f"[boosting] query requires '{key}' query to be set'", body, None, "end")
    if negative_boost < 0:
        reason = "[boosting] query requires 'negative_boost' to be set to be a positive value'"
        raise Malformed(reason, body, None, "end")
    return dressed({"boosting": {**parts, "negative_boost": negative_boost}}, body, ctx, "boosting")
