"""simple_query_string: the language of `syntax.simple`, on one or many fields."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from quidditch.query import multi, ops
from quidditch.query.compiler import unsupported
from quidditch.query.context import QueryContext
from quidditch.query.dsl.fuzzy import fuzzy_op
from quidditch.query.dsl.match import MatchOptions, check_analyzer, read_operator
from quidditch.query.dsl.prefix import prefix_op
from quidditch.query.dsl.query_string import apply_minimum
from quidditch.query.dsl.single import dressed
from quidditch.query.errors import Malformed, argument
from quidditch.query.fields import TEXTS, search_analyzer
from quidditch.query.fuzziness import Fuzziness
from quidditch.query.multi import MultiOptions, Weights, leniently
from quidditch.query.ops import Op
from quidditch.query.syntax.simple import FLAGS, SimpleParser
from quidditch.query.values import is_value, read_bool, read_int, read_text, token_name

_OPTIONS = frozenset(
    {
        "query",
        "boost",
        "analyzer",
        "default_operator",
        "flags",
        "lenient",
        "analyze_wildcard",
        "_name",
        "minimum_should_match",
        "quote_field_suffix",
        "auto_generate_synonyms_phrase_query",
        "fuzzy_prefix_length",
        "fuzzy_max_expansions",
        "fuzzy_transpositions",
    }
)


def simple_query_string(body: dict[str, Any], ctx: QueryContext) -> Op:
    weights = _fields(body)
    for key, value in body.items():
        if key != "fields" and (key not in _OPTIONS or not is_value(value)):
            raise unsupported("simple_query_string", body, key)
    if body.get("query") is None:
        raise Malformed("[simple_query_string] query text missing", body, None, "end")
    text = read_text(body["query"], body, "query")
    options = _options(body)
    flags = _flags(body)
    check_analyzer(options.analyzer, ctx, "simple_query_string")
    if not weights:
        weights = multi.parse_weights(ctx.settings.default_field)
    if any(multi.is_all(name) for name in weights) and body.get("lenient") is None:
        options.lenient = True
    suffix = read_text(body["quote_field_suffix"]) if body.get("quote_field_suffix") is not None else None
    builder = _Builder(multi.resolve(weights, ctx), weights, suffix, options, ctx)
    op = SimpleParser(text, builder, flags).parse()
    found = ops.no_docs() if op is None else apply_minimum(op, body)
    return dressed(found, body, ctx, "simple_query_string")


def _fields(body: dict[str, Any]) -> Weights | None:
    given = body.get("fields")
    if given is None:
        return None
    if not isinstance(given, list):
        raise unsupported("simple_query_string", body, "fields")
    for number, item in enumerate(given):
        if not is_value(item) or item is None:
            raise Malformed(f"Can't get text on a {token_name(item)}", given, number, type="illegal_argument_exception")
    return multi.parse_weights([read_text(item) for item in given])


def _options(body: dict[str, Any]) -> MatchOptions:
    found = MatchOptions()
    if body.get("analyzer") is not None:
        found.analyzer = read_text(body["analyzer"], body, "analyzer")
    if body.get("default_operator") is not None:
        found.conjunction = read_operator(body["default_operator"])
    if body.get("lenient") is not None:
        found.lenient = read_bool(body["lenient"], body, "lenient")
    for key in ("analyze_wildcard",):
        if body.get(key) is not None:
            read_bool(body[key], body, key)
    if "fuzzy_prefix_length" in body:
        found.prefix_length = read_int(body["fuzzy_prefix_length"], body, "fuzzy_prefix_length")
    if "fuzzy_max_expansions" in body:
        found.max_expansions = read_int(body["fuzzy_max_expansions"], body, "fuzzy_max_expansions")
    if "fuzzy_transpositions" in body:
        found.transpositions = read_bool(body["fuzzy_transpositions"], body, "fuzzy_transpositions")
    key = "auto_generate_synonyms_phrase_query"
    if key in body:
        found.synonym_phrases = read_bool(body[key], body, key)
    return found


def _flags(body: dict[str, Any]) -> int:
    given = body.get("flags")
    if given is None:
        return -1
    if isinstance(given, int) and not isinstance(given, bool):
        return -1 if given < 0 else given
    bits = 0
    for name in read_text(given, body, "flags").split("|"):
        if not name:
            continue
        if name.upper() not in FLAGS:
            raise argument(f"Unknown simple_query_string flag [{name}]")
        bits |= FLAGS[name.upper()]
    return bits


class _Builder:
    """See `syntax.simple.SimpleBuilder`."""

    def __init__(
        self, weights: Weights, patterns: Weights, suffix: str | None, options: MatchOptions, ctx: QueryContext
    ) -> None:
        self.weights = weights
        self.patterns = patterns
        self.suffix = suffix
        self.options = options
        self.ctx = ctx
        self.conjunction = options.conjunction

    def words(self, text: str) -> Op | None:
        op = multi.multi_text(
            text, self.weights, MultiOptions("most_fields", None, self.options), self.ctx, "simple_query_string"
        )
        return self._found(op, text)

    def phrase(self, text: str, slop: int) -> Op | None:
        options = MultiOptions("phrase", None, replace(self.options, slop=slop))
        weights = multi.resolve(self.patterns, self.ctx, self.suffix) if self.suffix else self.weights
        return self._found(multi.multi_text(text, weights, options, self.ctx, "simple_query_string"), text)

    def prefix(self, text: str) -> Op | None:
        return self._each(lambda path: prefix_op(path, self._normal(path, text), False, self.ctx))

    def fuzzy(self, text: str, edits: int) -> Op | None:
        options = self.options

        def one(path: str) -> Op:
            known = self.ctx.field(path)
            if known is None:
                return ops.no_docs()
            self.ctx.count_clause()
            value = self._normal(path, text)
            fuzziness = Fuzziness(edits)
            return fuzzy_op(
                known, value, fuzziness, options.prefix_length, options.max_expansions, options.transpositions, self.ctx
            )

        return self._each(one)

    def _each(self, one: Any) -> Op:
        return multi.each(self.weights, 1.0, lambda path: leniently(self.options.lenient, lambda: one(path)))

    def _normal(self, path: str, text: str) -> str:
        known = self.ctx.field(path)
        if known is None or known.type not in TEXTS:
            return text
        return self.ctx.normalized(self.options.analyzer or search_analyzer(known), text)

    def _found(self, op: Op, text: str) -> Op | None:
        if not ops.is_none(op) or not self.weights:
            return op
        for path in self.weights:
            known = self.ctx.field(path)
            if known is None or known.type not in TEXTS:
                return op
            if self.ctx.analyze(self.options.analyzer or search_analyzer(known), text):
                return op
        return None
