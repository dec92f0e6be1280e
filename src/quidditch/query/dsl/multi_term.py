"""What prefix, wildcard, regexp and fuzzy share: the fields they work on, rewrite methods, the switch against expensive queries."""

from __future__ import annotations

import re
from typing import Any

from quidditch.query import ops
from quidditch.query.context import Field, QueryContext
from quidditch.query.dsl.meta import SEARCHABLE
from quidditch.query.errors import QueryFault, ShardError
from quidditch.query.fields import STRINGS, check_searchable
from quidditch.query.ops import Op
from quidditch.query.values import read_bool, read_text

_REWRITES = frozenset(
    {
        "constant_score",
        "constant_score_auto",
        "constant_score_filter",
        "scoring_boolean",
        "constant_score_boolean",
        "constant_score_blended",
    }
)
_TOP_TERMS = re.compile(r"top_terms_(boost_|blended_freqs_)?\d+$")


def check_rewrite(options: dict[str, Any], key: str = "rewrite") -> str | None:
    """The rewrite method; all of them find the same documents."""
    if options.get(key) is None:
        return None
    name = read_text(options[key], options, key)
    if name not in _REWRITES and not _TOP_TERMS.match(name):
        raise QueryFault(f"Failed to parse rewrite_method [{name}]")
    return name


def scored(op: Op, rewrite: str | None) -> Op:
    """Marks an operation whose matching terms are to be scored, not taken as a constant."""
    if rewrite is None or rewrite.startswith("constant_score"):
        return op
    ((kind, arguments),) = op.items()
    return {kind: {**arguments, "rewrite": rewrite}} if kind != "none" else op


def insensitive(options: dict[str, Any]) -> bool:
    key = "case_insensitive"
    return key in options and read_bool(options[key], options, key)


def string_field(name: str, path: str, kinds: str, ctx: QueryContext, extra: str = "") -> Field | None:
    """The field, None where there is none; refuses fields that are not strings."""
    if not ctx.settings.allow_expensive_queries:
        reason = f"[{name}] queries cannot be executed when 'search.allow_expensive_queries' is set to false.{extra}"
        raise ShardError(400, "illegal_state_exception", reason)
    ctx.count_clause()
    field = ctx.field(path)
    if field is None:
        return None
    if field.type not in STRINGS:
        reason = f"Can only use {name} queries on {kinds} fields - not on [{path}] which is of type [{field.type}]"
        raise ctx.shard_error(reason)
    check_searchable(field)
    if not field.indexed:
        # Refused here and not by the kernel, so that a lenient search of many fields passes over it.
        raise QueryFault(f"Cannot search on field [{path}] since it is not indexed.")
    return field


def on_metadata(name: str, path: str, value: str, arguments: dict[str, Any]) -> Op:
    """The same query on a metadata field kept as terms, none on an unmapped one."""
    if path in SEARCHABLE and path not in ("_index", "_field_names", "_seq_no"):
        return {name: {"field": path, "value": value, **arguments}}
    return ops.no_docs()
