"""match_phrase and match_phrase_prefix: the words of a text next to each other."""

from __future__ import annotations

from typing import Any

from quidditch.query import ops, text
from quidditch.query.context import Field, QueryContext
from quidditch.query.dsl.fuzzy import MAX_EXPANSIONS
from quidditch.query.dsl.match import check_analyzer, exact_op, read_zero_terms
from quidditch.query.dsl.meta import metadata_terms
from quidditch.query.dsl.single import dressed, one_field
from quidditch.query.errors import QueryFault, argument
from quidditch.query.fields import TEXTS, check_searchable, quote_analyzer
from quidditch.query.ops import Op
from quidditch.query.values import read_int, read_text, text_of

_PHRASE = frozenset({"analyzer", "boost", "slop", "_name", "zero_terms_query"})
_PREFIX = _PHRASE | {"max_expansions"}


def match_phrase(body: dict[str, Any], ctx: QueryContext) -> Op:
    path, value, options = one_field("match_phrase", body, ("query",), _PHRASE)
    slop, analyzer, all_docs = _common("match_phrase", path, value, options)
    check_analyzer(analyzer, ctx, "match_phrase")
    op = phrase_op(path, value, analyzer, slop, ctx, all_docs=all_docs)
    return dressed(op, options, ctx, "match_phrase")


def match_phrase_prefix(body: dict[str, Any], ctx: QueryContext) -> Op:
    path, value, options = one_field("match_phrase_prefix", body, ("query",), _PREFIX)
    slop, analyzer, all_docs = _common("match_phrase_prefix", path, value, options)
    expansions = read_int(options.get("max_expansions", MAX_EXPANSIONS), options, "max_expansions")
    if expansions < 0:
        raise argument("No negative maxExpansions allowed.")
    check_analyzer(analyzer, ctx, "match_phrase_prefix")
    op = phrase_prefix_op(path, value, analyzer, slop, expansions, ctx, all_docs=all_docs)
    return dressed(op, options, ctx, "match_phrase_prefix")


def _common(name: str, path: str, value: Any, options: dict[str, Any]) -> tuple[int, str | None, bool]:
    if not path:
        raise argument(f"[{name}] requires fieldName")
    if value is None:
        raise argument(f"[{name}] requires query value")
    slop = read_int(options.get("slop", 0), options, "slop")
    if slop < 0:
        raise argument("No negative slop allowed.")
    analyzer = options.get("analyzer")
    zero = "zero_terms_query" in options and read_zero_terms(options["zero_terms_query"], options, "zero_terms_query")
    return slop, None if analyzer is None else read_text(analyzer), zero


def phrase_op(
    path: str,
    value: Any,
    analyzer: str | None,
    slop: int,
    ctx: QueryContext,
    lenient: bool = False,
    all_docs: bool = False,
) -> Op:
    """A phrase on one field, which need not exist; on fields that are not analysed, the value itself."""
    field = ctx.field(path)
    if field is None:
        special = metadata_terms(path, [value], ctx)
        return special if special is not None else ops.no_docs()
    if field.type not in TEXTS:
        return exact_op(field, value, lenient, ctx)
    check_searchable(field)
    tokens = ctx.analyze(analyzer or quote_analyzer(field), text_of(value))
    if not tokens:
        return ops.all_docs() if all_docs else ops.no_docs()
    ctx.count_clause()
    try:
        check_positions(field, len(tokens))
    except QueryFault:
        if lenient:
            return ops.no_docs()
        raise
    return text.phrase(field.path, tokens, slop)


def check_positions(field: Field, tokens: int) -> None:
    """Phrases need positions, which index_options may have left out."""
    if tokens > 1 and field.params.get("index_options") in ("docs", "freqs"):
        reason = f"field:[{field.path}] was indexed without position data; cannot run PhraseQuery"
        raise QueryFault(reason, "illegal_state_exception")


def phrase_prefix_op(
    path: str,
    value: Any,
    analyzer: str | None,
    slop: int,
    expansions: int,
    ctx: QueryContext,
    lenient: bool = False,
    all_docs: bool = False,
) -> Op:
    field = ctx.field(path)
    if field is None:
        return ops.no_docs()
    if field.type not in TEXTS:
        if lenient:
            return ops.no_docs()
        reason = f"Can only use phrase prefix queries on text fields - not on [{path}] which is of type [{field.type}]"
        raise QueryFault(reason)
    check_searchable(field)
    tokens = ctx.analyze(analyzer or quote_analyzer(field), text_of(value))
    if not tokens:
        return ops.all_docs() if all_docs else ops.no_docs()
    ctx.count_clause()
    check_positions(field, len(tokens))
    return text.phrase_prefix(field.path, tokens, slop, expansions)
