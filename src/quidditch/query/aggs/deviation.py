"""median_absolute_deviation: how far values are from their median."""

from __future__ import annotations

from typing import Any

from quidditch.query.aggs.metrics import NUMBERS
from quidditch.query.aggs.spec import VALUES, AggSpec, Reader, double, resolve_field
from quidditch.query.context import QueryContext
from quidditch.query.errors import argument

_PARAMS: dict[str, Reader] = {**VALUES, "compression": double}
DEFAULT_COMPRESSION = 1000.0


def median_absolute_deviation(spec: AggSpec, ctx: QueryContext) -> dict[str, Any]:
    found = spec.read(_PARAMS)
    compression = found.setdefault("compression", DEFAULT_COMPRESSION)
    if not compression > 0:
        reason = f"[compression] must be greater than 0. Found [{compression}] in [{spec.name}]"
        raise spec.failed("compression", argument(reason))
    resolve_field(spec, found, ctx, NUMBERS)
    return found
