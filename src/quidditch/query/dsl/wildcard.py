"""wildcard: values that match a pattern of `*` and `?`."""

from __future__ import annotations

import re
from typing import Any

from quidditch.query.context import Field, QueryContext
from quidditch.query.dsl.meta import metadata_pattern
from quidditch.query.dsl.multi_term import check_rewrite, insensitive, on_metadata, scored, string_field
from quidditch.query.dsl.single import dressed, one_field, required
from quidditch.query.fields import TEXTS, search_analyzer
from quidditch.query.ops import Op
from quidditch.query.values import text_of

_OPTIONS = frozenset({"boost", "_name", "rewrite", "case_insensitive"})
_PARTS = re.compile(r"\\.|[*?]", re.DOTALL)


def wildcard(body: dict[str, Any], ctx: QueryContext) -> Op:
    field, value, options = one_field("wildcard", body, ("value", "wildcard"), _OPTIONS)
    required(field, value)
    rewrite = check_rewrite(options)
    op = wildcard_op(field, text_of(value), insensitive(options), ctx, analysed=False)
    return dressed(scored(op, rewrite), options, ctx, "wildcard")


def wildcard_op(path: str, pattern: str, case_insensitive: bool, ctx: QueryContext, analysed: bool = True) -> Op:
    """`analysed`: whether the literal parts go through a text field's analysis, as query_string has it and the query itself has not."""
    field = string_field("wildcard", path, "keyword and text", ctx)
    arguments = {"case_insensitive": case_insensitive}
    if field is None:
        special = metadata_pattern(path, pattern, ctx)
        return special if special is not None else on_metadata("wildcard", path, pattern, arguments)
    value = normal_pattern(field, pattern, ctx) if analysed or field.type not in TEXTS else pattern
    return {"wildcard": {"field": field.path, "value": value, **arguments}}


def normal_pattern(field: Field, pattern: str, ctx: QueryContext) -> str:
    """The pattern with its literal parts normalised as the field's terms were (lower case, say)."""
    analyzer = search_analyzer(field) if field.type in TEXTS else field.normalizer
    if not analyzer:
        return pattern
    pieces: list[str] = []
    at = 0
    for mark in _PARTS.finditer(pattern):
        if mark.start() > at:
            pieces.append(ctx.normalized(analyzer, pattern[at : mark.start()]))
        pieces.append(mark.group())
        at = mark.end()
    if at < len(pattern):
        pieces.append(ctx.normalized(analyzer, pattern[at:]))
    return "".join(pieces)
