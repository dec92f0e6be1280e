"""top_hits: the best documents of a bucket."""

from __future__ import annotations

from typing import Any

from quidditch.query.aggs.spec import AggSpec
from quidditch.query.context import QueryContext
from quidditch.query.errors import Malformed, argument, shard_argument
from quidditch.query.hits import hits_plan, read_hits
from quidditch.query.values import token_name

_KEYS = frozenset(
    {
        "from",
        "size",
        "version",
        "seq_no_primary_term",
        "explain",
        "track_scores",
        "_source",
        "stored_fields",
        "docvalue_fields",
        "fields",
        "highlight",
        "sort",
    }
)


def top_hits(spec: AggSpec, ctx: QueryContext) -> dict[str, Any]:
    for key, value in spec.body.items():
        if key == "script_fields":
            raise argument("[script_fields] in a [top_hits] aggregation is not supported")
        if key not in _KEYS:
            raise Malformed(f"Unknown key for a {token_name(value)} in [{key}].", spec.body, key)
    request = read_hits(spec.body)
    limit = ctx.settings.max_inner_result_window
    size = 3 if request.size is None else request.size
    if request.first + size > limit:
        raise shard_argument(
            f"Top hits result window is too large, the top hits aggregator [{spec.name}]'s from + size must be less than or equal to: "
            f"[{limit}] but was [{request.first + size}]. This limit can be set by changing the [index.max_inner_result_window] index "
            "level setting."
        )
    return hits_plan(request, ctx)
