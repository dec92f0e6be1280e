"""nested: a query on nested documents, its score carried to the document that holds them."""

from __future__ import annotations

from typing import Any

from quidditch.query import ops
from quidditch.query.compiler import compile_query, unsupported
from quidditch.query.context import QueryContext
from quidditch.query.dsl.single import dressed
from quidditch.query.errors import Malformed, QueryFault, ShardError, argument, shard_argument
from quidditch.query.hits import hits_plan, read_hits
from quidditch.query.ops import Op
from quidditch.query.values import read_bool, read_text, token_name

_MODES = ("avg", "sum", "min", "max", "none")
_INNER = frozenset(
    {
        "name",
        "from",
        "size",
        "sort",
        "_source",
        "highlight",
        "docvalue_fields",
        "fields",
        "stored_fields",
        "version",
        "seq_no_primary_term",
        "explain",
        "track_scores",
        "ignore_unmapped",
        "script_fields",
        "collapse",
    }
)


def nested(body: dict[str, Any], ctx: QueryContext) -> Op:
    for key, value in body.items():
        if isinstance(value, dict):
            if key not in ("query", "inner_hits"):
                raise unsupported("nested", body, key)
        elif isinstance(value, list) or key not in ("path", "boost", "ignore_unmapped", "score_mode", "_name"):
            raise unsupported("nested", body, key)
    mode = _mode(body)
    if "query" not in body:
        raise argument("[nested] requires 'query' field")
    if body.get("path") is None:
        raise argument("[nested] requires 'path' field")
    path = read_text(body["path"], body, "path")
    ignore = "ignore_unmapped" in body and read_bool(body["ignore_unmapped"], body, "ignore_unmapped")
    if not ctx.settings.allow_expensive_queries:
        reason = "[joining] queries cannot be executed when 'search.allow_expensive_queries' is set to false."
        raise ShardError(400, "illegal_state_exception", reason)
    limit = ctx.settings.max_nested_depth
    if len(ctx.nested_scope) >= limit:
        raise argument(
            f"The depth of Nested Query is [{limit + 1}] has exceeded the allowed maximum of [{limit}]. This maximum can be set by "
            "changing the [index.query.max_nested_depth] index level setting."
        )
    return dressed(_compile(path, mode, ignore, body, ctx), body, ctx, "nested")


def _mode(body: dict[str, Any]) -> str:
    if body.get("score_mode") is None:
        return "avg"
    mode = read_text(body["score_mode"], body, "score_mode")
    if mode not in _MODES:
        raise argument(f"No score mode for child query [{mode}] found")
    return mode


def _compile(path: str, mode: str, ignore: bool, body: dict[str, Any], ctx: QueryContext) -> Op:
    known = path in ctx.mapping.nested_paths
    ctx.nested_scope.append(path)
    try:
        query = compile_query(body["query"], ctx, body, "query")
        inner = _inner_hits(path, body, ctx) if known else None
    finally:
        ctx.nested_scope.pop()
    if not known:
        if ignore:
            return ops.no_docs()
        if ctx.mapping.object(path) is not None:
            reason = f"[nested] nested object under path [{path}] is not of nested type"
        else:
            reason = f"[nested] failed to find nested object under path [{path}]"
        raise QueryFault(reason, "illegal_state_exception")
    arguments: dict[str, Any] = {"path": path, "query": query, "score_mode": mode}
    if inner is not None:
        arguments["inner_hits"] = inner
    return {"nested": arguments}


def _inner_hits(path: str, body: dict[str, Any], ctx: QueryContext) -> dict[str, Any] | None:
    spec = body.get("inner_hits")
    if spec is None:
        return None
    if not isinstance(spec, dict):
        raise Malformed(f"[inner_hits] malformed, found [{token_name(spec)}]", body, "inner_hits")
    for key in spec:
        if key not in _INNER:
            raise Malformed(f"[inner_hits] unknown field [{key}]", spec, key, "key", "x_content_parse_exception")
        if key in ("script_fields", "collapse"):
            raise argument(f"[{key}] in [inner_hits] is not supported")
    request = read_hits({key: value for key, value in spec.items() if key not in ("name", "ignore_unmapped")})
    limit = ctx.settings.max_inner_result_window
    name = read_text(spec["name"], spec, "name") if spec.get("name") is not None else path
    window = request.first + (3 if request.size is None else request.size)
    if window > limit:
        shown = spec.get("name") or "null"
        raise shard_argument(
            f"Inner result window is too large, the inner hit definition's [{shown}]'s from + size must be less than or equal to: "
            f"[{limit}] but was [{window}]. This limit can be set by changing the [index.max_inner_result_window] index level setting."
        )
    if name in ctx.inner_hits:
        raise shard_argument(f"[inner_hits] already contains an entry for key [{name}]")
    ctx.inner_hits.add(name)
    return {"name": name, **hits_plan(request, ctx)}
