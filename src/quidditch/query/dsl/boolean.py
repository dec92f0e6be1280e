"""bool: must, filter, should and must_not."""

from __future__ import annotations

from typing import Any

from quidditch.model.errors import ApiError
from quidditch.query import ops
from quidditch.query.compiler import compile_filter, compile_query
from quidditch.query.context import QueryContext
from quidditch.query.dsl.single import dressed
from quidditch.query.errors import QueryFault, ShardError, TooDeep, did_you_mean, failed_field, x_content
from quidditch.query.msm import minimum
from quidditch.query.ops import Op
from quidditch.query.values import is_value, read_bool, text_of, token_name

_CLAUSES = {"must": "must", "should": "should", "filter": "filter", "must_not": "must_not", "mustNot": "must_not"}
_OPTIONS = ("minimum_should_match", "adjust_pure_negative", "boost", "_name")


def bool_query(body: dict[str, Any], ctx: QueryContext) -> Op:
    found: dict[str, list[Op]] = {}
    for key, value in body.items():
        kind = _CLAUSES.get(key)
        if kind is not None:
            found.setdefault(kind, []).extend(_clauses(kind, key, value, body, ctx))
        elif key not in _OPTIONS:
            raise x_content(f"[bool] unknown field [{key}]{did_you_mean(key, (*_CLAUSES, *_OPTIONS))}", body, key)
        elif not is_value(value):
            raise x_content(f"[bool] {key} doesn't support values of type: {token_name(value)}", body, key, "value")
    limit = ctx.settings.max_clause_count
    if sum(map(len, found.values())) > limit:
        raise QueryFault(f"maxClauseCount is set to {limit}", "too_many_clauses")
    return dressed(_compile(found, body), body, ctx, "bool")


def _clauses(kind: str, key: str, value: Any, body: dict[str, Any], ctx: QueryContext) -> list[Op]:
    compile_one = compile_query if kind in ("must", "should") else compile_filter
    if is_value(value):
        raise x_content(f"[bool] {key} doesn't support values of type: {token_name(value)}", body, key, "value")
    try:
        if isinstance(value, dict):
            return [compile_one(value, ctx, body, key)]
        return [compile_one(item, ctx, value, number) for number, item in enumerate(value)]
    except (ShardError, TooDeep):
        raise
    except ApiError as error:
        raise failed_field("bool", key, error, body) from None


def _compile(found: dict[str, list[Op]], body: dict[str, Any]) -> Op:
    if not any(found.values()):
        return ops.all_docs()
    adjust = read_bool(body.get("adjust_pure_negative", True), body, "adjust_pure_negative")
    should = len(found.get("should", ()))
    spec = body.get("minimum_should_match")
    required = bool(found.get("must") or found.get("filter"))
    needed = minimum(should, text_of(spec)) if spec is not None else 0
    if should and needed == 0 and not required:
        needed = 1
    arguments: dict[str, Any] = {kind: clauses for kind, clauses in found.items() if clauses}
    if not should and not required:
        if not adjust:
            return ops.no_docs()
        # Only what must not match: everything else does, whatever number of optional clauses is asked for.
        return {"bool": {**arguments, "filter": [ops.all_docs()]}}
    if needed:
        arguments["minimum_should_match"] = needed
    return {"bool": arguments}
