"""What each piece of a query_string means on the fields it is about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from quidditch.query import multi, ops
from quidditch.query.context import Field, QueryContext
from quidditch.query.dsl.exists import exists_op
from quidditch.query.dsl.fuzzy import fuzzy_op
from quidditch.query.dsl.prefix import prefix_op
from quidditch.query.dsl.range import typed_range
from quidditch.query.dsl.regexp import check_length, regexp_op
from quidditch.query.dsl.wildcard import wildcard_op
from quidditch.query.errors import QueryFault
from quidditch.query.fields import DATES, STRINGS, TEXTS, search_analyzer
from quidditch.query.fuzziness import AUTO, Fuzziness
from quidditch.query.multi import MultiOptions, Weights, leniently
from quidditch.query.ops import Op
from quidditch.query.syntax.lexer import SyntaxFault
from quidditch.query.syntax.parser import MUST, MUST_NOT, SHOULD, Clause


@dataclass(slots=True)
class StringOptions:
    """Fields and options of a query_string."""

    multi: MultiOptions
    weights: Weights = field(default_factory=dict)
    named_field: str | None = None
    all_fields: bool = False
    quote_analyzer: str | None = None
    quote_suffix: str | None = None
    leading_wildcard: bool = True
    analyze_wildcard: bool = False
    fuzziness: Fuzziness = AUTO
    states: int = 10_000
    time_zone: str | None = None


class QueryStringBuilder:
    """See `syntax.parser.Builder`."""

    def __init__(self, options: StringOptions, ctx: QueryContext) -> None:
        self.options = options
        self.ctx = ctx
        self.conjunction = options.multi.match.conjunction
        self.lenient = options.multi.match.lenient

    # --- pieces -----------------------------------------------------------------------------------------------------

    def words(self, field: str | None, text: str) -> Op | None:
        if field == "_exists_":
            return exists_op(text, self.ctx)
        if field is not None and len(text) > 1 and text[0] in "<>":
            return self._comparison(field, text)
        weights = self._weights(field)
        return self._found(multi.multi_text(text, weights, self.options.multi, self.ctx, "query_string"), text, weights)

    def _found(self, op: Op, text: str, weights: Weights) -> Op | None:
        """None where analysis left nothing of the text, so that the clause does not count."""
        if not ops.is_none(op):
            return op
        analyzer = self.options.multi.match.analyzer
        for path in weights:
            known = self.ctx.field(path)
            if known is None or known.type not in TEXTS:
                return op
            if self.ctx.analyze(analyzer or search_analyzer(known), text):
                return op
        return None if weights else op

    def _comparison(self, field: str, text: str) -> Op | None:
        upper = text[0] == "<"
        inclusive = text[1] == "=" and len(text) > 2
        value = text[2:] if inclusive else text[1:]
        return (
            self.range(field, None, value, True, inclusive)
            if upper
            else self.range(field, value, None, inclusive, True)
        )

    def quoted(self, field: str | None, text: str, slop: int | None) -> Op | None:
        if field == "_exists_":
            return exists_op(text, self.ctx)
        match = self.options.multi.match
        match = replace(
            match, slop=match.slop if slop is None else slop, analyzer=self.options.quote_analyzer or match.analyzer
        )
        options = MultiOptions("phrase", self.options.multi.tie_breaker, match)
        weights = self._weights(field, self.options.quote_suffix)
        return self._found(multi.multi_text(text, weights, options, self.ctx, "query_string"), text, weights)

    def prefix(self, field: str | None, text: str) -> Op | None:
        def one(path: str) -> Op:
            return prefix_op(path, self._normal(path, text), False, self.ctx)

        return self._each(field, one)

    def wildcard(self, field: str | None, pattern: str) -> Op | None:
        named = field if field is not None else self.options.named_field
        if pattern == "*" and named is not None:
            return ops.all_docs() if named == "*" else exists_op(named, self.ctx)
        if pattern == "*":
            return self._each(field, lambda path: exists_op(path, self.ctx))
        if pattern[0] in "*?" and not self.options.leading_wildcard:
            raise SyntaxFault("'*' or '?' not allowed as first character in WildcardQuery")
        return self._each(field, lambda path: wildcard_op(path, pattern, False, self.ctx))

    def fuzzy(self, field: str | None, text: str, edits: float | None) -> Op | None:
        match = self.options.multi.match
        fuzziness = self.options.fuzziness if edits is None else Fuzziness(min(2, int(edits)))

        def one(path: str) -> Op:
            known = self.ctx.field(path)
            if known is None:
                return ops.no_docs()
            self.ctx.count_clause()
            value = self._normal(path, text)
            return fuzzy_op(
                known, value, fuzziness, match.prefix_length, match.max_expansions, match.transpositions, self.ctx
            )

        return self._each(field, one)

    def regexp(self, field: str | None, pattern: str) -> Op | None:
        check_length(pattern, self.ctx)

        def one(path: str) -> Op:
            return regexp_op(path, self._normal(path, pattern), "ALL", self.options.states, False, self.ctx)

        return self._each(field, one)

    def range(
        self, field: str | None, low: str | None, high: str | None, include_low: bool, include_high: bool
    ) -> Op | None:
        bounds: dict[str, Any] = {}
        if low is not None:
            bounds["gte" if include_low else "gt"] = low
        if high is not None:
            bounds["lte" if include_high else "lt"] = high

        def one(path: str) -> Op:
            known = self.ctx.field(path)
            if known is None:
                return ops.no_docs()
            self.ctx.count_clause()
            return typed_range(known, self._normal_bounds(known, bounds), self.ctx, None, self.options.time_zone)

        return self._each(field, one)

    # --- combinations -----------------------------------------------------------------------------------------------

    def boolean(self, clauses: Sequence[Clause]) -> Op | None:
        if not clauses:
            return None
        if len(clauses) > self.ctx.settings.max_clause_count:
            raise QueryFault(f"maxClauseCount is set to {self.ctx.settings.max_clause_count}", "too_many_clauses")
        if len(clauses) == 1 and clauses[0].occur != MUST_NOT:
            return clauses[0].op
        found: dict[str, Any] = {}
        for clause in clauses:
            found.setdefault(clause.occur, []).append(clause.op)
        if MUST not in found and SHOULD not in found:
            found["filter"] = [ops.all_docs()]
        elif MUST not in found:
            found["minimum_should_match"] = 1
        return {"bool": found}

    def boost(self, op: Op, boost: float) -> Op:
        return ops.dress(op, boost)

    def flatten(self, op: Op) -> list[Clause] | None:
        arguments = op.get("bool")
        if arguments is None or "boost" in arguments or arguments.get("minimum_should_match", 1) > 1:
            return None
        if set(arguments) - {"should", "must", "minimum_should_match"} or (
            "should" in arguments and "must" in arguments
        ):
            return None
        occur = MUST if "must" in arguments else SHOULD
        return [Clause(occur, part) for part in arguments.get(occur, [])]

    # --- fields -----------------------------------------------------------------------------------------------------

    def _weights(self, field: str | None, suffix: str | None = None) -> Weights:
        if field is None:
            return multi.resolve(self.options.weights, self.ctx, suffix) if suffix else self.options.weights
        return multi.resolve({field: 1.0}, self.ctx, suffix)

    def _each(self, field: str | None, one: Callable[[str], Op]) -> Op:
        weights = self._weights(field)
        tie = self.options.multi.tie
        return multi.each(weights, tie, lambda path: leniently(self.lenient, lambda: one(path)))

    def _normal(self, path: str, text: str) -> str:
        known = self.ctx.field(path)
        if known is None or known.type not in TEXTS:
            return text
        return self.ctx.normalized(self.options.multi.match.analyzer or search_analyzer(known), text)

    def _normal_bounds(self, known: Field, bounds: dict[str, Any]) -> dict[str, Any]:
        if known.type not in STRINGS or known.type in DATES:
            return bounds
        return {key: self._normal(known.path, value) for key, value in bounds.items()}
