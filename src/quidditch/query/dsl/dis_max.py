"""dis_max: the best of several queries."""

from __future__ import annotations

from typing import Any

from quidditch.query import ops
from quidditch.query.compiler import compile_query, unsupported
from quidditch.query.context import QueryContext
from quidditch.query.dsl.single import dressed
from quidditch.query.errors import Malformed
from quidditch.query.ops import Op
from quidditch.query.values import read_float


def dis_max(body: dict[str, Any], ctx: QueryContext) -> Op:
    queries: list[Op] = []
    given = False
    for key, value in body.items():
        if key == "queries" and isinstance(value, dict):
            given = True
            queries.append(compile_query(value, ctx, body, key))
        elif key == "queries" and isinstance(value, list):
            given = True
            if not value:
                raise Malformed("[_na] query malformed, must start with start_object", value, None, "end")
            queries.extend(compile_query(item, ctx, value, n) for n, item in enumerate(value))
        elif key not in ("tie_breaker", "boost", "_name") or isinstance(value, (dict, list)):
            raise unsupported("dis_max", body, key)
    if not given:
        raise Malformed("[dis_max] requires 'queries' field with at least one clause", body, None, "end")
    tie_breaker = read_float(body.get("tie_breaker", 0.0), body, "tie_breaker")
    return dressed(ops.dis_max(queries, tie_breaker), body, ctx, "dis_max")
