"""cardinality: an estimate of how many distinct values there are."""

from __future__ import annotations

from typing import Any

from quidditch.query.aggs.spec import VALUES, AggSpec, Reader, json, long, resolve_field, text
from quidditch.query.context import QueryContext
from quidditch.query.errors import argument

_PARAMS: dict[str, Reader] = {**VALUES, "precision_threshold": long, "rehash": json, "execution_hint": text}
DEFAULT_PRECISION = 3000


def cardinality(spec: AggSpec, ctx: QueryContext) -> dict[str, Any]:
    found = spec.read(_PARAMS)
    threshold = found.setdefault("precision_threshold", DEFAULT_PRECISION)
    if threshold < 0:
        reason = f"[precisionThreshold] must be greater than or equal to 0. Found [{threshold}] in [{spec.name}]"
        raise spec.failed("precision_threshold", argument(reason))
    resolve_field(spec, found, ctx)
    return found
