"""match_all and match_none."""

from __future__ import annotations

from typing import Any

from quidditch.model.errors import ApiError
from quidditch.query import ops
from quidditch.query.compiler import unsupported
from quidditch.query.context import QueryContext
from quidditch.query.dsl.single import boost_of, dressed
from quidditch.query.errors import failed_field, parse_wrapped
from quidditch.query.ops import Op


def match_all(body: dict[str, Any], ctx: QueryContext) -> Op:
    for key in body:
        if key not in ("boost", "_name"):
            raise parse_wrapped("match_all", f"unknown field [{key}]", body, key)
    try:
        boost_of(body, "match_all")
    except ApiError as error:
        fault = parse_wrapped("match_all", "failed to parse field [boost]", body, "boost")
        fault.inner = failed_field("match_all", "boost", error, body)
        raise fault from None
    return dressed(ops.all_docs(), body, ctx, "match_all")


def match_none(body: dict[str, Any], ctx: QueryContext) -> Op:
    for key in body:
        if key not in ("boost", "_name"):
            raise unsupported("match_none", body, key)
    return dressed(ops.no_docs(), body, ctx, "match_none")
