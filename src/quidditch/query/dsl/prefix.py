"""prefix: values that begin with a text."""

from __future__ import annotations

from typing import Any

from quidditch.query.context import QueryContext
from quidditch.query.dsl.meta import metadata_pattern
from quidditch.query.dsl.multi_term import check_rewrite, insensitive, on_metadata, scored, string_field
from quidditch.query.dsl.single import dressed, one_field, required
from quidditch.query.fields import keyword_of
from quidditch.query.ops import Op
from quidditch.query.values import text_of

_OPTIONS = frozenset({"boost", "_name", "rewrite", "case_insensitive"})
_HINT = " For optimised prefix queries on text fields please enable [index_prefixes]."


def prefix(body: dict[str, Any], ctx: QueryContext) -> Op:
    field, value, options = one_field("prefix", body, ("value", "prefix"), _OPTIONS)
    required(field, value)
    rewrite = check_rewrite(options)
    op = prefix_op(field, text_of(value), insensitive(options), ctx)
    return dressed(scored(op, rewrite), options, ctx, "prefix")


def prefix_op(path: str, value: str, case_insensitive: bool, ctx: QueryContext) -> Op:
    field = string_field("prefix", path, "keyword and text", ctx, _HINT)
    arguments = {"case_insensitive": case_insensitive}
    if field is None:
        special = metadata_pattern(path, value + "*", ctx)
        return special if special is not None else on_metadata("prefix", path, value, arguments)
    return {"prefix": {"field": field.path, "value": keyword_of(field, value, ctx), **arguments}}
