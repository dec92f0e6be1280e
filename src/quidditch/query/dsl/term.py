"""term: documents that hold exactly one value."""

from __future__ import annotations

from typing import Any

from quidditch.query import ops
from quidditch.query.context import QueryContext
from quidditch.query.dsl.meta import metadata_terms
from quidditch.query.dsl.single import dressed, one_field, required
from quidditch.query.errors import ShardQuery, argument
from quidditch.query.fields import STRINGS, TEXTS, keyword_of, term_query
from quidditch.query.ops import Op
from quidditch.query.values import read_bool, text_of

_OPTIONS = frozenset({"boost", "_name", "case_insensitive"})


def term(body: dict[str, Any], ctx: QueryContext) -> Op:
    field, value, options = one_field("term", body, ("value", "term"), _OPTIONS)
    if value is None and not options:
        raise argument("field name is null or empty")
    required(field, value)
    insensitive = "case_insensitive" in options and read_bool(options["case_insensitive"], options, "case_insensitive")
    return dressed(_compile(field, value, insensitive, ctx), options, ctx, "term")


def _compile(path: str, value: Any, insensitive: bool, ctx: QueryContext) -> Op:
    ctx.count_clause()
    field = ctx.field(path)
    if field is None:
        special = metadata_terms(path, [value], ctx)
        return special if special is not None else ops.no_docs()
    if not insensitive:
        return term_query(field, value, ctx)
    if field.type not in STRINGS:
        raise ShardQuery(
            f"[{path}] field which is of type [{field.type}], does not support case insensitive term queries"
        )
    text = text_of(value) if field.type in TEXTS else keyword_of(field, value, ctx)
    escaped = text.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")
    return {"wildcard": {"field": field.path, "value": escaped, "case_insensitive": True}}
