"""avg, sum, min, max, stats, value_count, extended_stats."""

from __future__ import annotations

from typing import Any

from quidditch.query.aggs.spec import VALUES, AggSpec, Reader, double, resolve_field
from quidditch.query.context import QueryContext
from quidditch.query.errors import argument
from quidditch.query.fields import DATES, NUMERIC

NUMBERS = NUMERIC | DATES | {"boolean"}
_EXTENDED: dict[str, Reader] = {**VALUES, "sigma": double}


def simple_metric(spec: AggSpec, ctx: QueryContext) -> dict[str, Any]:
    found = spec.read(VALUES)
    resolve_field(spec, found, ctx, None if spec.kind == "value_count" else NUMBERS)
    return found


def extended_stats(spec: AggSpec, ctx: QueryContext) -> dict[str, Any]:
    found = spec.read(_EXTENDED)
    sigma = found.setdefault("sigma", 2.0)
    if sigma < 0:
        raise spec.failed(
            "sigma", argument(f"[sigma] must be greater than or equal to 0. Found [{sigma}] in [{spec.name}]")
        )
    resolve_field(spec, found, ctx, NUMBERS)
    return found
