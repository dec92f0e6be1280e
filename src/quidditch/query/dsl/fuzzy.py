"""fuzzy: values within a few edits of a text."""

from __future__ import annotations

from typing import Any

from quidditch.query import fuzziness, ops
from quidditch.query.context import Field, QueryContext
from quidditch.query.dsl.multi_term import check_rewrite
from quidditch.query.dsl.single import dressed, one_field, required
from quidditch.query.errors import QueryFault, ShardError
from quidditch.query.fields import STRINGS, check_searchable, keyword_of
from quidditch.query.fuzziness import Fuzziness
from quidditch.query.ops import Op
from quidditch.query.values import read_bool, read_int, text_of

_OPTIONS = frozenset({"boost", "_name", "rewrite", "fuzziness", "prefix_length", "max_expansions", "transpositions"})
PREFIX_LENGTH = 0
MAX_EXPANSIONS = 50


def fuzzy(body: dict[str, Any], ctx: QueryContext) -> Op:
    path, value, options = one_field("fuzzy", body, ("value", "term"), _OPTIONS)
    required(path, value)
    edits = fuzziness.parse(options["fuzziness"]) if options.get("fuzziness") is not None else fuzziness.AUTO
    prefix_length = read_int(options.get("prefix_length", PREFIX_LENGTH), options, "prefix_length")
    expansions = read_int(options.get("max_expansions", MAX_EXPANSIONS), options, "max_expansions")
    transpositions = "transpositions" not in options or read_bool(options["transpositions"], options, "transpositions")
    rewrite = check_rewrite(options)
    if prefix_length < 0:
        raise QueryFault("prefixLength cannot be negative.")
    if expansions <= 0:
        raise QueryFault("maxExpansions must be positive.")
    ctx.count_clause()
    field = ctx.field(path)
    if field is None:
        return dressed(ops.no_docs(), options, ctx, "fuzzy")
    op = fuzzy_op(field, text_of(value), edits, prefix_length, expansions, transpositions, ctx)
    if rewrite is not None and rewrite.startswith("constant_score"):
        ((kind, arguments),) = op.items()
        op = {kind: {**arguments, "constant": True}} if kind == "fuzzy" else ops.const(op)
    return dressed(op, options, ctx, "fuzzy")


def fuzzy_op(
    field: Field,
    text: str,
    edits: Fuzziness,
    prefix_length: int,
    expansions: int,
    transpositions: bool,
    ctx: QueryContext,
) -> Op:
    """One term with its neighbours; without edits just the term."""
    if not ctx.settings.allow_expensive_queries:
        reason = "[fuzzy] queries cannot be executed when 'search.allow_expensive_queries' is set to false."
        raise ShardError(400, "illegal_state_exception", reason)
    if field.type not in STRINGS:
        reason = f"Can only use fuzzy queries on keyword and text fields - not on [{field.path}] which is of type [{field.type}]"
        raise QueryFault(reason)
    check_searchable(field)
    value = keyword_of(field, text, ctx)
    distance = edits.distance(value)
    if distance == 0:
        return ops.term(field.path, value)
    arguments = {
        "field": field.path,
        "value": value,
        "edits": distance,
        "prefix_length": prefix_length,
        "max_expansions": expansions,
        "transpositions": transpositions,
        "constant": False,
    }
    return {"fuzzy": arguments}
