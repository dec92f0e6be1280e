"""One text on several fields: which fields a list of patterns means, and how their queries are combined."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from quidditch.query import ops, text
from quidditch.query.context import Field, QueryContext
from quidditch.query.dsl.match import MatchOptions, combine, match_op, zero_terms
from quidditch.query.dsl.match_bool_prefix import bool_prefix_op
from quidditch.query.dsl.match_phrase import phrase_op, phrase_prefix_op
from quidditch.query.errors import QueryFault, ShardError, argument
from quidditch.query.fields import OPAQUE, TEXTS, search_analyzer
from quidditch.query.ops import Op
from quidditch.query.values import parse_float

Weights = dict[str, float]
_UNSEARCHABLE = OPAQUE | {"binary"}
TYPES = {
    "best_fields": 0.0,
    "most_fields": 1.0,
    "cross_fields": 0.0,
    "phrase": 0.0,
    "phrase_prefix": 0.0,
    "bool_prefix": 1.0,
}
"""Type → its default tie breaker."""


@dataclass(slots=True)
class MultiOptions:
    """How a text is matched on many fields."""

    kind: str = "best_fields"
    tie_breaker: float | None = None
    match: MatchOptions = field(default_factory=MatchOptions)

    @property
    def tie(self) -> float:
        return TYPES[self.kind] if self.tie_breaker is None else self.tie_breaker


def parse_weights(names: Sequence[str]) -> Weights:
    """`name^boost` of each; the boosts of a name that stands twice are multiplied."""
    found: Weights = {}
    for item in names:
        name, mark, boost = item.rpartition("^")
        if not mark:
            name, weight = item, 1.0
        else:
            weight = parse_float(boost)
        if weight < 0:
            raise argument(f"negative [boost] are not allowed in [{item}], use a value between 0 and 1 to deboost")
        found[name] = found.get(name, 1.0) * weight
    return found


def is_all(pattern: str) -> bool:
    return pattern == "*"


def resolve(weights: Mapping[str, float], ctx: QueryContext, suffix: str | None = None) -> Weights:
    """The fields that names and patterns stand for on this index; names that stand for none stay (and match nothing)."""
    found: Weights = {}
    for pattern, weight in weights.items():
        for name in _names(pattern, ctx):
            actual = name + suffix if suffix and ctx.field(name + suffix) is not None else name
            known = ctx.field(actual)
            path = known.path if known is not None else actual
            found[path] = found[path] * weight if path in found else weight
    limit = ctx.settings.max_clause_count
    if len(found) > limit:
        raise QueryFault(f"field expansion matches too many fields, limit: {limit}, got: {len(found)}")
    return found


def _names(pattern: str, ctx: QueryContext) -> list[str]:
    if "*" not in pattern:
        return [pattern]
    matching = ctx.mapping.matching(pattern)
    return [name for name, known in matching.items() if known.type not in _UNSEARCHABLE and known.type[0] != "_"]


def multi_text(value: Any, weights: Weights, options: MultiOptions, ctx: QueryContext, name: str) -> Op:
    """The text on every field, combined as the type says."""
    if not weights:
        return ops.no_docs()
    if options.kind == "cross_fields":
        return _cross_fields(value, weights, options, ctx, name)
    one = _single(value, options, ctx, name)
    return each(weights, options.tie, one)


def each(weights: Weights, tie_breaker: float, one: Callable[[str], Op]) -> Op:
    """The query of every field, boosted by its weight, the best of them counting."""
    found = [ops.dress(one(path), weight) for path, weight in weights.items()]
    matching = [op for op in found if not ops.is_none(op)]
    return ops.dis_max(matching, tie_breaker)


def _single(value: Any, options: MultiOptions, ctx: QueryContext, name: str) -> Callable[[str], Op]:
    match = options.match
    if options.kind == "phrase":
        return lambda path: phrase_op(
            path, value, match.analyzer, match.slop, ctx, lenient=match.lenient, all_docs=match.zero_terms_all
        )
    if options.kind == "phrase_prefix":
        return lambda path: phrase_prefix_op(
            path, value, match.analyzer, match.slop, match.max_expansions, ctx, match.lenient, match.zero_terms_all
        )
    if options.kind == "bool_prefix":
        return lambda path: bool_prefix_op(path, value, match, ctx)
    return lambda path: match_op(path, value, match, ctx, name)


def _cross_fields(value: Any, weights: Weights, options: MultiOptions, ctx: QueryContext, name: str) -> Op:
    """Fields of one analyzer act as one field: each word may stand in any of them."""
    groups: dict[str, list[tuple[Field, float]]] = {}
    alone: list[Op] = []
    for path, weight in weights.items():
        known = ctx.field(path)
        if known is None or known.type not in TEXTS:
            alone.append(ops.dress(match_op(path, value, options.match, ctx, name), weight))
            continue
        groups.setdefault(options.match.analyzer or search_analyzer(known), []).append((known, weight))
    found: list[Op] = []
    for analyzer, members in groups.items():
        if len(members) == 1:
            known, weight = members[0]
            found.append(ops.dress(match_op(known.path, value, options.match, ctx, name), weight))
        else:
            found.append(_blended(value, analyzer, members, options, ctx))
    matching = [op for op in (*found, *alone) if not ops.is_none(op)]
    return ops.dis_max(matching, options.tie)


def _blended(
    value: Any, analyzer: str, members: list[tuple[Field, float]], options: MultiOptions, ctx: QueryContext
) -> Op:
    tokens = ctx.analyze(analyzer, str(value))
    if not tokens:
        return zero_terms(options.match)

    def one(term: str) -> Op:
        terms = [{"field": known.path, "value": term, "boost": weight} for known, weight in members]
        return {"blended": {"terms": terms, "tie_breaker": options.tie}}

    return combine(text.clauses(members[0][0].path, tokens, one, phrases=False), options.match, ctx)


def leniently(lenient: bool, build: Callable[[], Op]) -> Op:
    """What cannot be asked of a field matches nothing, if the query is lenient."""
    try:
        return build()
    except (QueryFault, ShardError):
        if lenient:
            return ops.no_docs()
        raise
