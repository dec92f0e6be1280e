"""Operations in the words of Lucene's queries, for `_validate/query?explain`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from quidditch.query.ops import Op
from quidditch.query.values import text_of

_ALL = "ApproximateScoreQuery(originalQuery=*:*, approximationQuery=Approximate(*:*))"


def describe(op: Op, outermost: bool = True) -> str:
    """The text of an operation; inner booleans stand in parentheses."""
    ((kind, arguments),) = op.items()
    describer = _KINDS.get(kind)
    text = describer(arguments, outermost) if describer else kind
    boost = arguments.get("boost", 1.0)
    if boost == 1.0:
        return text
    return f"({text})^{text_of(float(boost))}"


def _inner(op: Op) -> str:
    ((kind, arguments),) = op.items()
    text = describe(op, False)
    return f"({text})" if kind == "bool" and arguments.get("boost", 1.0) == 1.0 else text


def _bool(arguments: dict[str, Any], _outermost: bool) -> str:
    parts: list[str] = []
    for name, mark in (("must", "+"), ("should", ""), ("filter", "#"), ("must_not", "-")):
        parts.extend(mark + _inner(op) for op in arguments.get(name, ()))
    text = " ".join(parts)
    needed = arguments.get("minimum_should_match", 0)
    return f"({text})~{needed}" if needed > 1 else text


def _range(arguments: dict[str, Any], _outermost: bool) -> str:
    low = text_of(arguments["gte"]) if "gte" in arguments else text_of(arguments["gt"]) if "gt" in arguments else "*"
    high = text_of(arguments["lte"]) if "lte" in arguments else text_of(arguments["lt"]) if "lt" in arguments else "*"
    opened = "{" if "gt" in arguments else "["
    closed = "}" if "lt" in arguments else "]"
    return f"{arguments['field']}:{opened}{low} TO {high}{closed}"


def _phrase(arguments: dict[str, Any], _outermost: bool) -> str:
    words = []
    for _, terms in arguments["terms"]:
        words.append(terms[0] if len(terms) == 1 else f"({' '.join(terms)})")
    slop = arguments.get("slop", 0)
    return f'{arguments["field"]}:"{" ".join(words)}"' + (f"~{slop}" if slop else "")


def _phrase_prefix(arguments: dict[str, Any], outermost: bool) -> str:
    return _phrase(arguments, outermost)[:-1] + '*"' if not arguments.get("slop") else _phrase(arguments, outermost)


def _field_value(suffix: str = "", before: str = "", after: str = "") -> Callable[[dict[str, Any], bool], str]:
    return lambda arguments, _outermost: f"{arguments['field']}:{before}{text_of(arguments['value'])}{after}{suffix}"


def _terms(arguments: dict[str, Any], _outermost: bool) -> str:
    return f"{arguments['field']}:({' '.join(text_of(value) for value in arguments['values'])})"


def _synonyms(arguments: dict[str, Any], _outermost: bool) -> str:
    return "Synonym(" + " ".join(f"{arguments['field']}:{term}" for term in arguments["terms"]) + ")"


def _dis_max(arguments: dict[str, Any], _outermost: bool) -> str:
    tie = arguments.get("tie_breaker", 0.0)
    return (
        "(" + " | ".join(_inner(op) for op in arguments["queries"]) + ")" + (f"~{text_of(float(tie))}" if tie else "")
    )


def _nested(arguments: dict[str, Any], _outermost: bool) -> str:
    return f"ToParentBlockJoinQuery ({describe(arguments['query'], False)})"


_KINDS: dict[str, Callable[[dict[str, Any], bool], str]] = {
    "all": lambda _arguments, _outermost: _ALL,
    "none": lambda _arguments, _outermost: 'MatchNoDocsQuery("")',
    "term": _field_value(),
    "prefix": _field_value("*"),
    "wildcard": _field_value(),
    "regexp": _field_value("", "/", "/"),
    "fuzzy": lambda arguments, _outermost: f"{arguments['field']}:{arguments['value']}~{arguments['edits']}",
    "terms": _terms,
    "synonyms": _synonyms,
    "range": _range,
    "phrase": _phrase,
    "phrase_prefix": _phrase_prefix,
    "ids": lambda arguments, _outermost: f"_id:({' '.join(arguments['values'])})",
    "exists": lambda arguments, _outermost: f"ConstantScore(FieldExistsQuery [field={arguments['field']}])",
    "bool": _bool,
    "const": lambda arguments, _outermost: f"ConstantScore({describe(arguments['query'], False)})",
    "dis_max": _dis_max,
    "boosting": lambda arguments, _outermost: (
        f"FunctionScoreQuery({describe(arguments['positive'], False)}, scored by boost(queryboost({describe(arguments['negative'], False)})"
        f"^{text_of(float(arguments['negative_boost']))}))"
    ),
    "function_score": lambda arguments, _outermost: f"function score ({describe(arguments['query'], False)})",
    "nested": _nested,
    "blended": lambda arguments, _outermost: (
        "blended(terms:[" + ", ".join(f"{term['field']}:{term['value']}" for term in arguments["terms"]) + "])"
    ),
}
