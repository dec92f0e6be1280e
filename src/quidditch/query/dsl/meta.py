"""Queries on metadata fields: _id, _index, _routing, _ignored, _seq_no, _field_names."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from quidditch.query import ops
from quidditch.query.context import QueryContext
from quidditch.query.errors import ShardQuery
from quidditch.query.fields import integer_of
from quidditch.query.ops import Op
from quidditch.query.values import text_of

SEARCHABLE = ("_id", "_index", "_routing", "_ignored", "_seq_no", "_nested_path", "_field_names")


def metadata_terms(path: str, values: list[Any], ctx: QueryContext) -> Op | None:
    """The operation for a metadata field; None if `path` is none that can be searched."""
    texts = [text_of(value) for value in values]
    if path == "_id":
        return {"ids": {"values": texts}}
    if path == "_index":
        return ops.all_docs() if any(_is_index(text, ctx) for text in texts) else ops.no_docs()
    if path in ("_routing", "_ignored"):
        return {"terms": {"field": path, "values": texts}}
    if path == "_field_names":
        return ops.any_of([{"exists": {"field": text}} for text in texts])
    if path == "_seq_no":
        numbers = [integer_of("long", value)[0] for value in values]
        return ops.any_of([{"range": {"field": path, "gte": number, "lte": number}} for number in numbers])
    if path in ("_source", "_version", "_primary_term"):
        raise ShardQuery(f"The {path} field is not searchable")
    return None


def _is_index(text: str, ctx: QueryContext) -> bool:
    return text == ctx.index or text in ctx.aliases or ("*" in text and fnmatchcase(ctx.index, text))


def metadata_pattern(path: str, pattern: str, ctx: QueryContext) -> Op | None:
    """A wildcard on `_index` (the other metadata fields have ordinary terms)."""
    if path != "_index":
        return None
    return ops.all_docs() if fnmatchcase(ctx.index, pattern) else ops.no_docs()
