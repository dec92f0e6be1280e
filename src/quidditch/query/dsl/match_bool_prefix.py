"""match_bool_prefix: the words of a text, the last one only begun."""

from __future__ import annotations

from typing import Any

from quidditch.query import ops, text
from quidditch.query.context import QueryContext
from quidditch.query.dsl.match import MatchOptions, check_analyzer, combine, exact_op, read_options, term_maker
from quidditch.query.dsl.single import dressed, one_field
from quidditch.query.errors import QueryFault, ShardError, argument
from quidditch.query.fields import STRINGS, TEXTS, check_searchable, search_analyzer
from quidditch.query.ops import Op
from quidditch.query.values import text_of

_OPTIONS = frozenset(
    {
        "analyzer",
        "boost",
        "_name",
        "operator",
        "minimum_should_match",
        "fuzziness",
        "prefix_length",
        "max_expansions",
        "fuzzy_transpositions",
        "fuzzy_rewrite",
    }
)


def match_bool_prefix(body: dict[str, Any], ctx: QueryContext) -> Op:
    path, value, options = one_field("match_bool_prefix", body, ("query",), _OPTIONS)
    if not path:
        raise argument("[match_bool_prefix] requires fieldName")
    if value is None:
        raise argument("[match_bool_prefix] requires query value")
    parsed = read_options(options) if options else MatchOptions()
    check_analyzer(parsed.analyzer, ctx, "match_bool_prefix")
    return dressed(bool_prefix_op(path, value, parsed, ctx), options, ctx, "match_bool_prefix")


def bool_prefix_op(path: str, value: Any, options: MatchOptions, ctx: QueryContext) -> Op:
    try:
        return _compile(path, value, options, ctx)
    except (QueryFault, ShardError):
        if options.lenient:
            return ops.no_docs()
        raise


def _compile(path: str, value: Any, options: MatchOptions, ctx: QueryContext) -> Op:
    field = ctx.field(path)
    if field is None:
        return ops.no_docs()
    if field.type not in STRINGS:
        return exact_op(field, value, options.lenient, ctx)
    check_searchable(field)
    analyzer = options.analyzer or (search_analyzer(field) if field.type in TEXTS else field.normalizer or "keyword")
    given = text_of(value)
    tokens = list(ctx.analyze(analyzer, given))
    if not tokens:
        return ops.no_docs()
    if tokens[-1][4] != len(given.encode("utf-16-le")) // 2:
        # Something follows the last word: it is written to its end.
        return combine(text.clauses(field.path, tokens, term_maker(field, options, ctx)), options, ctx)
    last = tokens[-1][1]
    words = [token for token in tokens if token[1] != last]
    ends = dict.fromkeys(token[0] for token in tokens if token[1] == last)
    begun: list[Op] = [{"prefix": {"field": field.path, "value": term, "case_insensitive": False}} for term in ends]
    clauses = text.clauses(field.path, words, term_maker(field, options, ctx)) if words else []
    return combine([*clauses, ops.any_of(begun)], options, ctx)
