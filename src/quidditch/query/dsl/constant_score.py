"""constant_score: a filter that gives every match the same score."""

from __future__ import annotations

from typing import Any

from quidditch.query import ops
from quidditch.query.compiler import compile_filter, unsupported
from quidditch.query.context import QueryContext
from quidditch.query.dsl.single import boost_of, dressed
from quidditch.query.errors import Malformed
from quidditch.query.ops import Op
from quidditch.query.values import token_name


def constant_score(body: dict[str, Any], ctx: QueryContext) -> Op:
    inner: Op | None = None
    for key, value in body.items():
        if isinstance(value, list):
            raise Malformed(f"unexpected token [{token_name(value)}]", body, key)
        if isinstance(value, dict):
            if key != "filter":
                raise unsupported("constant_score", body, key)
            inner = compile_filter(value, ctx, body, key)
        elif key not in ("boost", "_name"):
            raise unsupported("constant_score", body, key)
    if inner is None:
        raise Malformed("[constant_score] requires a 'filter' element", body, None, "end")
    name = {"_name": body["_name"]} if "_name" in body else {}
    return dressed(ops.const(inner, boost_of(body, "constant_score")), name, ctx)
