"""From a query object to one operation: finds the query type, keeps count of depth, refuses what is no query."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from quidditch.query.context import MAX_DEPTH, QueryContext
from quidditch.query.errors import Malformed, TooDeep, did_you_mean
from quidditch.query.ops import Op
from quidditch.query.values import token_name

Compile = Callable[[Any, QueryContext], Op]
"""A query type: takes the object behind its name. Checks the object in full before it asks the mapping anything."""

QUERIES: dict[str, Compile] = {}


def compile_query(query: Any, ctx: QueryContext, holder: Any = None, key: str | int | None = None) -> Op:
    """The operation of ``{"<type>": {…}}``. `holder` and `key` say where the query stands, for the error's position."""
    if not isinstance(query, dict):
        raise Malformed("[_na] query malformed, must start with start_object", holder, key)
    if len(query) != 1:
        raise _not_one(query)
    ((name, body),) = query.items()
    if not isinstance(body, dict):
        raise Malformed(f"[{name}] query malformed, no start_object after query name", query, name)
    compile_one = QUERIES.get(name)
    if compile_one is None:
        raise _unknown(query, name)
    if ctx.depth >= MAX_DEPTH:
        reason = f"The nested depth of the query exceeds the maximum nested depth of [{MAX_DEPTH}]"
        raise TooDeep(400, "illegal_argument_exception", reason)
    ctx.depth += 1
    try:
        return compile_one(body, ctx)
    finally:
        ctx.depth -= 1


def compile_filter(query: Any, ctx: QueryContext, holder: Any = None, key: str | int | None = None) -> Op:
    """As `compile_query`, where only matching counts."""
    outer, ctx.in_filter = ctx.in_filter, True
    try:
        return compile_query(query, ctx, holder, key)
    finally:
        ctx.in_filter = outer


def _not_one(query: dict[str, Any]) -> Exception:
    if not query:
        return Malformed("query malformed, empty clause found", query, None, "end", "illegal_argument_exception")
    first, second = list(query)[:2]
    body = query[first]
    if not isinstance(body, dict):
        return Malformed(f"[{first}] query malformed, no start_object after query name", query, first)
    if first not in QUERIES:
        return _unknown(query, first)
    reason = f"[{first}] malformed query, expected [END_OBJECT] but found [FIELD_NAME]"
    return Malformed(reason, query, second, "key")


def _unknown(query: dict[str, Any], name: str) -> Malformed:
    cause = {"type": "named_object_not_found_exception", "reason": f"unknown field [{name}]"}
    return Malformed(f"unknown query [{name}]{did_you_mean(name, QUERIES)}", query, name, "value", caused_by=cause)


def unexpected(name: str, value: Any, node: Any, key: str) -> Malformed:
    """A member of a query has a value of a kind it cannot have."""
    return Malformed(f"[{name}] unknown token [{token_name(value)}] after [{key}]", node, key)


def unsupported(name: str, node: Any, key: str) -> Malformed:
    return Malformed(f"[{name}] query does not support [{key}]", node, key)
