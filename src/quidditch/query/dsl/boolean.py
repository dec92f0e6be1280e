"""bool: must, filter, should and must_not."""

from __future__ import annotations

from typing import Any

from quidditch.query import ops
from quidditch.query.compiler import compile_filter, compile_query, unsupported
from quidditch.query.context import QueryContext
from quidditch.query.dsl.single import dressed
from quidditch.query.errors import QueryFault
from quidditch.query.msm import minimum
from quidditch.query.ops import Op
from quidditch.query.values import is_value, read_bool, text_of

_CLAUSES = {"must": "must", "should": "should", "filter": "filter", "must_not": "must_not", "mustNot": "must_not"}
_OPTIONS = ("minimum_should_match", "adjust_pure_negative", "boost", "_name")


def bool_query(body: dict[str, Any], ctx: QueryContext) -> Op:
    found: dict[str, list[Op]] = {}
    for key, value in body.items():
        kind = _CLAUSES.get(key)
        if kind is not None and isinstance(value, dict):
            found.setdefault(kind, []).append(_clause(kind, value, ctx, body, key))
        elif kind is not None and isinstance(value, list):
            found.setdefault(kind, []).extend(_clause(kind, item, ctx, value, n) for n, item in enumerate(value))
        elif key not in _OPTIONS or not is_value(value):
            raise unsupported("bool", body, key)
    limit = ctx.settings.max_clause_count
    if sum(map(len, found.values())) > limit:
        raise QueryFault(f"maxClauseCount is set to {limit}", "too_many_clauses")
    return dressed(_compile(found, body, ctx), body, ctx, "bool")


def _clause(kind: str, query: Any, ctx: QueryContext, holder: Any, key: str | int) -> Op:
    if kind in ("must", "should"):
        return compile_query(query, ctx, holder, key)
    return compile_filter(query, ctx, holder, key)


def _compile(found: dict[str, list[Op]], body: dict[str, Any], ctx: QueryContext) -> Op:
    if not any(found.values()):
        return ops.all_docs()
    adjust = read_bool(body.get("adjust_pure_negative", True), body, "adjust_pure_negative")
    should = len(found.get("should", ()))
    spec = body.get("minimum_should_match")
    required = bool(found.get("must") or found.get("filter"))
    needed = minimum(should, text_of(spec)) if spec is not None else 0
    if should and needed == 0 and (not required or (spec is None and ctx.in_filter)):
        needed = 1
    arguments: dict[str, Any] = {kind: clauses for kind, clauses in found.items() if clauses}
    if not should and not required and adjust:
        arguments["filter"] = [ops.all_docs()]
    if needed:
        arguments["minimum_should_match"] = needed
    return {"bool": arguments}
