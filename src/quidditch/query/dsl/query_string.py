"""query_string: the language of `syntax.parser`, on one or many fields."""

from __future__ import annotations

from typing import Any

from quidditch.model.errors import ApiError
from quidditch.query import fuzziness, multi, ops
from quidditch.query.compiler import unsupported
from quidditch.query.context import QueryContext
from quidditch.query.dsl.match import check_analyzer, read_operator
from quidditch.query.dsl.query_string_builder import QueryStringBuilder, StringOptions
from quidditch.query.dsl.single import dressed
from quidditch.query.errors import Malformed, QueryFault
from quidditch.query.fuzziness import Fuzziness
from quidditch.query.msm import minimum
from quidditch.query.multi import MultiOptions, Weights
from quidditch.query.ops import Op
from quidditch.query.syntax.lexer import SyntaxFault, escape
from quidditch.query.syntax.parser import parse
from quidditch.query.values import is_value, read_bool, read_float, read_int, read_text, text_of, token_name

_OPTIONS = frozenset(
    {
        "query",
        "default_field",
        "default_operator",
        "analyzer",
        "quote_analyzer",
        "allow_leading_wildcard",
        "analyze_wildcard",
        "max_determinized_states",
        "lowercase_expanded_terms",
        "enable_position_increments",
        "escape",
        "fuzzy_prefix_length",
        "fuzzy_max_expansions",
        "fuzzy_rewrite",
        "phrase_slop",
        "fuzziness",
        "boost",
        "tie_breaker",
        "rewrite",
        "minimum_should_match",
        "quote_field_suffix",
        "lenient",
        "time_zone",
        "type",
        "_name",
        "auto_generate_synonyms_phrase_query",
        "fuzzy_transpositions",
        "auto_generate_phrase_queries",
    }
)


def query_string(body: dict[str, Any], ctx: QueryContext) -> Op:
    weights = _fields(body)
    for key, value in body.items():
        if key != "fields" and (key not in _OPTIONS or not is_value(value)):
            raise unsupported("query_string", body, key)
    if body.get("query") is None:
        raise Malformed("[query_string] must be provided with a [query]", body, None, "end")
    text = read_text(body["query"], body, "query")
    options = read_string_options(body, ctx)
    check_analyzer(options.multi.match.analyzer, ctx, "query_string")
    if options.quote_analyzer is not None and not ctx.has_analyzer(options.quote_analyzer):
        raise ctx.shard_error(f"[query_string] quote_analyzer [{options.quote_analyzer}] not found")
    _set_fields(weights, body, options, ctx)
    if "escape" in body and read_bool(body["escape"], body, "escape"):
        text = escape(text)
    return dressed(_compile(text, options, body, ctx), body, ctx, "query_string")


def _fields(body: dict[str, Any]) -> Weights | None:
    if "fields" not in body:
        return None
    given = body["fields"]
    if not isinstance(given, list):
        raise unsupported("query_string", body, "fields")
    names: list[str] = []
    for number, item in enumerate(given):
        if item is None:
            raise Malformed("[query_string] field name in [fields] cannot be null", given, number)
        if not is_value(item):
            raise Malformed(f"Can't get text on a {token_name(item)}", given, number, type="illegal_argument_exception")
        names.append(read_text(item))
    return multi.parse_weights(names)


def read_string_options(body: dict[str, Any], ctx: QueryContext) -> StringOptions:
    """What steers the language, checked."""
    match = multi.MultiOptions().match
    options = StringOptions(MultiOptions(match=match))
    flag = {
        key: read_bool(body[key], body, key)
        for key in (
            "allow_leading_wildcard",
            "analyze_wildcard",
            "lenient",
            "auto_generate_synonyms_phrase_query",
            "fuzzy_transpositions",
        )
        if body.get(key) is not None
    }
    options.leading_wildcard = flag.get("allow_leading_wildcard", ctx.settings.allow_leading_wildcard)
    options.analyze_wildcard = flag.get("analyze_wildcard", ctx.settings.analyze_wildcard)
    match.lenient = flag.get("lenient", ctx.settings.query_string_lenient)
    match.synonym_phrases = flag.get("auto_generate_synonyms_phrase_query", True)
    match.transpositions = flag.get("fuzzy_transpositions", True)
    if body.get("default_operator") is not None:
        match.conjunction = read_operator(body["default_operator"])
    if body.get("analyzer") is not None:
        match.analyzer = read_text(body["analyzer"], body, "analyzer")
    if body.get("quote_analyzer") is not None:
        options.quote_analyzer = read_text(body["quote_analyzer"], body, "quote_analyzer")
    if body.get("quote_field_suffix") is not None:
        options.quote_suffix = read_text(body["quote_field_suffix"], body, "quote_field_suffix")
    if body.get("time_zone") is not None:
        options.time_zone = read_text(body["time_zone"], body, "time_zone")
    _read_numbers(body, options)
    return options


def _read_numbers(body: dict[str, Any], options: StringOptions) -> None:
    match = options.multi.match
    if "fuzzy_prefix_length" in body:
        match.prefix_length = read_int(body["fuzzy_prefix_length"], body, "fuzzy_prefix_length")
    if "fuzzy_max_expansions" in body:
        match.max_expansions = read_int(body["fuzzy_max_expansions"], body, "fuzzy_max_expansions")
    if "phrase_slop" in body:
        match.slop = read_int(body["phrase_slop"], body, "phrase_slop")
    if "max_determinized_states" in body:
        options.states = read_int(body["max_determinized_states"], body, "max_determinized_states")
    if body.get("fuzziness") is not None:
        options.fuzziness = fuzziness.parse(body["fuzziness"])
    else:
        options.fuzziness = Fuzziness()
    if body.get("tie_breaker") is not None:
        options.multi.tie_breaker = read_float(body["tie_breaker"], body, "tie_breaker")
    if body.get("type") is not None:
        kind = read_text(body["type"], body, "type").lower()
        if kind not in multi.TYPES:
            raise ApiError(400, "parse_exception", f"failed to parse [multi_match] query type [{kind}]. unknown type.")
        options.multi.kind = kind


def _set_fields(weights: Weights | None, body: dict[str, Any], options: StringOptions, ctx: QueryContext) -> None:
    """The fields of text that names none; a search of all fields is lenient unless told otherwise."""
    if body.get("default_field") is not None:
        if weights:
            reason = "[query_string] cannot use [fields] parameter in conjunction with [default_field]"
            raise QueryFault(f"Validation Failed: 1: {reason};", "query_validation_exception")
        weights = {read_text(body["default_field"], body, "default_field"): 1.0}
    elif not weights:
        weights = multi.parse_weights(ctx.settings.default_field)
    if any(multi.is_all(name) for name in weights):
        options.all_fields = len(weights) == 1
        if body.get("lenient") is None:
            options.multi.match.lenient = True
    options.weights = multi.resolve(weights, ctx)
    options.named_field = next(iter(weights)) if len(weights) == 1 and body.get("fields") is None else None


def _compile(text: str, options: StringOptions, body: dict[str, Any], ctx: QueryContext) -> Op:
    if not text.strip():
        return ops.no_docs()
    try:
        op = parse(text, QueryStringBuilder(options, ctx))
    except SyntaxFault as fault:
        cause: dict[str, Any] = {"type": "parse_exception", "reason": str(fault)}
        if fault.inner is not None:
            cause["caused_by"] = {"type": "parse_exception", "reason": fault.inner}
        raise ctx.shard_error(f"Failed to parse query [{text}]", caused_by=cause) from None
    if op is None:
        return ops.no_docs()
    return apply_minimum(op, body)


def apply_minimum(op: Op, body: dict[str, Any]) -> Op:
    """minimum_should_match on the outermost boolean."""
    spec = body.get("minimum_should_match")
    arguments = op.get("bool")
    if spec is None or arguments is None or not arguments.get("should"):
        return op
    needed = minimum(len(arguments["should"]), text_of(spec))
    required = arguments.get("must") or arguments.get("filter")
    return {"bool": {**arguments, "minimum_should_match": needed if required else max(1, needed)}}
