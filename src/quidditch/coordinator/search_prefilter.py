"""Shards that cannot match: told by the ranges that a query demands, before the query itself runs."""

from __future__ import annotations

from typing import Any

from quidditch.query.ops import Op

DEFAULT_SHARDS = 128
"""Searches of more shards than this are filtered first, unless the request says otherwise."""


def demanded(op: Op) -> Op | None:
    """What of the query every match must fulfil and is cheap to test: its ranges. None if there is no such thing."""
    ((kind, arguments),) = op.items()
    if kind in ("range", "none"):
        return op
    if kind == "const":
        return demanded(arguments["query"])
    if kind == "bool":
        parts = [demanded(part) for part in (*arguments.get("must", ()), *arguments.get("filter", ()))]
        found = [part for part in parts if part is not None]
        return {"bool": {"filter": found}} if found else None
    return None


def visits_everything(aggs: Any) -> bool:
    """Whether an aggregation looks at documents that the query does not match."""
    if not isinstance(aggs, dict):
        return False
    for body in aggs.values():
        if not isinstance(body, dict):
            continue
        if "global" in body:
            return True
        for kind in ("terms", "histogram", "date_histogram"):
            spec = body.get(kind)
            if isinstance(spec, dict) and spec.get("min_doc_count") in (0, "0"):
                return True
        if visits_everything(body.get("aggs", body.get("aggregations"))):
            return True
    return False
