"""nested and reverse_nested: to nested documents and back to their parents."""

from __future__ import annotations

from typing import Any

from quidditch.query.aggs.spec import AggSpec, text
from quidditch.query.context import QueryContext
from quidditch.query.errors import Malformed, ShardError, shard_argument
from quidditch.query.values import token_name


def nested(spec: AggSpec, ctx: QueryContext) -> dict[str, Any]:
    found = _path(spec)
    if "path" not in found:
        raise Malformed(f"Missing [path] field for nested aggregation [{spec.name}]", spec.body, None, "end")
    path = found["path"]
    known = ctx.mapping.object(path) is not None
    if known and path not in ctx.mapping.nested_paths:
        raise ShardError(500, "aggregation_execution_exception", f"[nested] nested path [{path}] is not nested")
    ctx.nested_scope.append(path)
    return {"path": path, "unmapped": not known}


def reverse_nested(spec: AggSpec, ctx: QueryContext) -> dict[str, Any]:
    found = _path(spec)
    if not ctx.nested_scope:
        raise shard_argument(f"Reverse nested aggregation [{spec.name}] can only be used inside a [nested] aggregation")
    path = found.get("path")
    if path is not None and path not in ctx.mapping.nested_paths and ctx.mapping.object(path) is not None:
        raise ShardError(500, "aggregation_execution_exception", f"[reverse_nested] nested path [{path}] is not nested")
    ctx.nested_scope.clear()
    if path is not None:
        ctx.nested_scope.append(path)
    return {"path": path}


def _path(spec: AggSpec) -> dict[str, Any]:
    for key, value in spec.body.items():
        if key != "path" or isinstance(value, (dict, list)):
            raise Malformed(f"Unknown key for a {token_name(value)} in [{spec.name}]: [{key}].", spec.body, key)
    return spec.read({"path": text})
