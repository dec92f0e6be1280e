"""exists: documents with a value in a field; objects stand for all their leaves."""

from __future__ import annotations

from typing import Any

from quidditch.query import ops
from quidditch.query.compiler import unexpected, unsupported
from quidditch.query.context import QueryContext
from quidditch.query.dsl.single import dressed
from quidditch.query.errors import Malformed, ShardQuery, argument
from quidditch.query.ops import Op
from quidditch.query.values import is_value, read_text


def exists(body: dict[str, Any], ctx: QueryContext) -> Op:
    for key, value in body.items():
        if not is_value(value):
            raise unexpected("exists", value, body, key)
        if key not in ("field", "boost", "_name"):
            raise unsupported("exists", body, key)
    if body.get("field") is None:
        raise Malformed("[exists] must be provided with a [field]", body, None, "end")
    path = read_text(body["field"], body, "field")
    if not path:
        raise argument("field name is null or empty")
    return dressed(exists_op(path, ctx), body, ctx, "exists")


def exists_op(pattern: str, ctx: QueryContext) -> Op:
    """Any of the fields that a name, an object's name or a pattern stands for; scored as a constant."""
    if pattern in ("_id", "_index", "_seq_no", "_version", "_primary_term"):
        return ops.all_docs()
    if pattern == "_source":
        raise ShardQuery("The _source field is not searchable")
    if pattern in ("_routing", "_ignored"):
        return {"exists": {"field": pattern}}
    if "*" not in pattern:
        field = ctx.field(pattern)
        if field is not None:
            ctx.count_clause()
            return {"exists": {"field": field.path}}
        pattern = pattern + ".*"
    paths = sorted({field.path for field in ctx.mapping.matching(pattern).values()})
    if not paths:
        return ops.no_docs()
    ctx.count_clause(len(paths))
    found: list[Op] = [{"exists": {"field": path}} for path in paths]
    return found[0] if len(found) == 1 else ops.const(ops.any_of(found))
