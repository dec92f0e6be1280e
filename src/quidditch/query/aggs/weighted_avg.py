"""weighted_avg: an average in which each document has a weight."""

from __future__ import annotations

from typing import Any

from quidditch.query.aggs.metrics import NUMBERS
from quidditch.query.aggs.spec import VALUES, AggSpec, Reader, json, resolve_field, text
from quidditch.query.context import QueryContext
from quidditch.query.errors import argument, x_content
from quidditch.query.values import token_name

_PARAMS: dict[str, Reader] = {"value": json, "weight": json, "format": text, "value_type": text}
_PART: dict[str, Reader] = {key: VALUES[key] for key in ("field", "missing", "script")}


def weighted_avg(spec: AggSpec, ctx: QueryContext) -> dict[str, Any]:
    found = spec.read(_PARAMS)
    for name in ("value", "weight"):
        if name not in found:
            raise argument(f"Required [{name}]")
        found[name] = _part(spec, name, found[name], ctx)
    return found


def _part(spec: AggSpec, name: str, body: Any, ctx: QueryContext) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise x_content(f"[{spec.kind}] {name} doesn't support values of type: {token_name(body)}", spec.body, name)
    part = AggSpec(spec.name, spec.kind, body)
    found = part.read(_PART)
    resolve_field(part, found, ctx, NUMBERS)
    return found
