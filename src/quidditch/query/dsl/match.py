"""match: the words of a text, any or all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from quidditch.query import fuzziness, ops, text
from quidditch.query.context import Field, QueryContext
from quidditch.query.dsl.fuzzy import MAX_EXPANSIONS, fuzzy_op
from quidditch.query.dsl.meta import metadata_terms
from quidditch.query.dsl.multi_term import check_rewrite
from quidditch.query.dsl.single import dressed, one_field
from quidditch.query.errors import Malformed, QueryFault, ShardError, argument
from quidditch.query.fields import TEXTS, check_searchable, search_analyzer, term_query
from quidditch.query.fuzziness import Fuzziness
from quidditch.query.msm import minimum
from quidditch.query.ops import Op
from quidditch.query.values import read_bool, read_int, read_text, text_of

_OPTIONS = frozenset(
    {
        "type",
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
        "lenient",
        "cutoff_frequency",
        "zero_terms_query",
        "auto_generate_synonyms_phrase_query",
        "slop",
    }
)


@dataclass(slots=True)
class MatchOptions:
    """What a match query does with the text, whatever field it is on."""

    analyzer: str | None = None
    conjunction: bool = False
    minimum_should_match: str | None = None
    fuzziness: Fuzziness | None = None
    prefix_length: int = 0
    max_expansions: int = MAX_EXPANSIONS
    transpositions: bool = True
    lenient: bool = False
    zero_terms_all: bool = False
    synonym_phrases: bool = True
    slop: int = 0
    constant: bool = False


def read_operator(value: Any) -> bool:
    """Whether the operator is `and`."""
    name = read_text(value)
    if name.lower() not in ("and", "or"):
        raise argument(f"No enum constant org.opensearch.index.query.Operator.{name.upper()}")
    return name.lower() == "and"


def read_zero_terms(value: Any, node: Any = None, key: str | None = None) -> bool:
    name = read_text(value, node, key)
    if name.lower() not in ("none", "all"):
        raise Malformed(f"Unsupported zero_terms_query value [{name}]", node, key)
    return name.lower() == "all"


def read_options(body: dict[str, Any]) -> MatchOptions:
    """The options that match and multi_match share."""
    found = MatchOptions()
    get = body.get
    if get("analyzer") is not None:
        found.analyzer = read_text(body["analyzer"], body, "analyzer")
    if "operator" in body:
        found.conjunction = read_operator(body["operator"])
    if get("minimum_should_match") is not None:
        found.minimum_should_match = text_of(body["minimum_should_match"])
    if get("fuzziness") is not None:
        found.fuzziness = fuzziness.parse(body["fuzziness"])
    _read_expansion(body, found)
    if "lenient" in body:
        found.lenient = read_bool(body["lenient"], body, "lenient")
    if "zero_terms_query" in body:
        found.zero_terms_all = read_zero_terms(body["zero_terms_query"], body, "zero_terms_query")
    if "auto_generate_synonyms_phrase_query" in body:
        key = "auto_generate_synonyms_phrase_query"
        found.synonym_phrases = read_bool(body[key], body, key)
    if "slop" in body:
        found.slop = read_int(body["slop"], body, "slop")
    return found


def _read_expansion(body: dict[str, Any], found: MatchOptions) -> None:
    if "prefix_length" in body:
        found.prefix_length = read_int(body["prefix_length"], body, "prefix_length")
        if found.prefix_length < 0:
            raise argument("[match] requires prefix length to be non-negative.")
    if "max_expansions" in body:
        found.max_expansions = read_int(body["max_expansions"], body, "max_expansions")
        if found.max_expansions <= 0:
            raise argument("[match] requires maxExpansions to be positive.")
    if "fuzzy_transpositions" in body:
        found.transpositions = read_bool(body["fuzzy_transpositions"], body, "fuzzy_transpositions")
    rewrite = check_rewrite(body, "fuzzy_rewrite")
    found.constant = rewrite is not None and rewrite.startswith("constant_score")


def match(body: dict[str, Any], ctx: QueryContext) -> Op:
    path, value, options = one_field("match", body, ("query",), _OPTIONS)
    if value is None:
        raise Malformed(
            "No text specified for text query" if not path or not options else "[match] requires query value",
            body,
            None,
            "end",
        )
    parsed = read_options(options) if options else MatchOptions()
    return dressed(match_op(path, value, parsed, ctx, "match"), options, ctx, "match")


def match_op(path: str, value: Any, options: MatchOptions, ctx: QueryContext, name: str) -> Op:
    """A match on one field, which need not exist."""
    check_analyzer(options.analyzer, ctx, name)
    field = ctx.field(path)
    if field is None:
        special = metadata_terms(path, [value], ctx)
        return special if special is not None else ops.no_docs()
    if field.type not in TEXTS and options.analyzer is None and options.fuzziness is None:
        return exact_op(field, value, options.lenient, ctx)
    try:
        return _boolean(field, text_of(value), options, ctx)
    except (QueryFault, ShardError):
        if options.lenient:
            return ops.no_docs()
        raise


def check_analyzer(analyzer: str | None, ctx: QueryContext, name: str) -> None:
    if analyzer is not None and not ctx.has_analyzer(analyzer):
        raise ctx.shard_error(f"[{name}] analyzer [{analyzer}] not found")


def exact_op(field: Field, value: Any, lenient: bool, ctx: QueryContext) -> Op:
    """A match on a field that is not analysed: the value itself."""
    ctx.count_clause()
    try:
        return term_query(field, value, ctx)
    except (QueryFault, ShardError):
        if lenient:
            return ops.no_docs()
        raise


def zero_terms(options: MatchOptions) -> Op:
    return ops.all_docs() if options.zero_terms_all else ops.no_docs()


def _boolean(field: Field, value: str, options: MatchOptions, ctx: QueryContext) -> Op:
    check_searchable(field)
    analyzer = options.analyzer or (search_analyzer(field) if field.type in TEXTS else field.normalizer or "keyword")
    tokens = ctx.analyze(analyzer, value)
    if not tokens:
        return zero_terms(options)
    clauses = text.clauses(field.path, tokens, term_maker(field, options, ctx), options.synonym_phrases)
    return combine(clauses, options, ctx)


def combine(clauses: list[Op], options: MatchOptions, ctx: QueryContext) -> Op:
    """The clauses of a text by operator and minimum_should_match."""
    ctx.count_clause(len(clauses))
    if options.conjunction:
        return ops.all_of(clauses)
    if len(clauses) == 1:
        return clauses[0]
    needed = minimum(len(clauses), options.minimum_should_match)
    return {"bool": {"should": clauses, "minimum_should_match": max(1, needed)}}


def term_maker(field: Field, options: MatchOptions, ctx: QueryContext) -> text.TermMaker | None:
    edits = options.fuzziness
    if edits is None:
        return None if field.type in TEXTS else lambda term: term_query(field, term, ctx)

    def fuzzy(term: str) -> Op:
        op = fuzzy_op(field, term, edits, options.prefix_length, options.max_expansions, options.transpositions, ctx)
        if options.constant and "fuzzy" in op:
            op["fuzzy"]["constant"] = True
        return op

    return fuzzy
