"""multi_match: a text on several fields."""

from __future__ import annotations

from typing import Any

from quidditch.model.errors import ApiError
from quidditch.query import multi
from quidditch.query.compiler import unsupported
from quidditch.query.context import QueryContext
from quidditch.query.dsl.match import check_analyzer, read_options
from quidditch.query.dsl.single import dressed
from quidditch.query.errors import Malformed, argument
from quidditch.query.multi import MultiOptions, Weights
from quidditch.query.ops import Op
from quidditch.query.values import is_value, read_float, read_text, token_name

_OPTIONS = frozenset(
    {
        "query",
        "type",
        "analyzer",
        "boost",
        "slop",
        "fuzziness",
        "prefix_length",
        "max_expansions",
        "operator",
        "minimum_should_match",
        "fuzzy_rewrite",
        "tie_breaker",
        "cutoff_frequency",
        "lenient",
        "zero_terms_query",
        "_name",
        "auto_generate_synonyms_phrase_query",
        "fuzzy_transpositions",
    }
)


def multi_match(body: dict[str, Any], ctx: QueryContext) -> Op:
    weights = _fields(body)
    for key, value in body.items():
        if key != "fields" and (key not in _OPTIONS or not is_value(value)):
            raise unsupported("multi_match", body, key)
    value = body.get("query")
    if value is None:
        raise Malformed("No text specified for multi_match query", body, None, "end")
    options = _options(body)
    check_analyzer(options.match.analyzer, ctx, "multi_match")
    if not weights:
        weights = multi.parse_weights(ctx.settings.default_field)
    if "lenient" not in body and any(multi.is_all(name) for name in weights):
        options.match.lenient = True
    op = multi.multi_text(value, multi.resolve(weights, ctx), options, ctx, "multi_match")
    return dressed(op, body, ctx, "multi_match")


def _fields(body: dict[str, Any]) -> Weights | None:
    given = body.get("fields")
    if given is None:
        return None
    if isinstance(given, dict):
        raise unsupported("multi_match", body, "fields")
    names: list[str] = []
    for number, item in enumerate(given if isinstance(given, list) else [given]):
        if not is_value(item) or item is None:
            raise Malformed(f"Can't get text on a {token_name(item)}", given, number, type="illegal_argument_exception")
        names.append(read_text(item))
    return multi.parse_weights(names)


def _options(body: dict[str, Any]) -> MultiOptions:
    options = MultiOptions(match=read_options(body))
    if "type" in body:
        options.kind = _kind(read_text(body["type"], body, "type"))
    if body.get("tie_breaker") is not None:
        options.tie_breaker = read_float(body["tie_breaker"], body, "tie_breaker")
    if body.get("fuzziness") is not None and options.kind in ("cross_fields", "phrase", "phrase_prefix"):
        raise Malformed(f"Fuzziness not allowed for type [{options.kind}]", body, None, "end")
    if options.kind == "bool_prefix":
        for key in ("slop", "cutoff_frequency"):
            if key in body:
                raise Malformed(f"[{key}] not allowed for type [bool_prefix]", body, None, "end")
    if options.match.slop < 0:
        raise argument("No negative slop allowed.")
    return options


def _kind(name: str) -> str:
    kind = name.lower()
    if kind not in multi.TYPES:
        raise ApiError(400, "parse_exception", f"failed to parse [multi_match] query type [{name}]. unknown type.")
    return kind
