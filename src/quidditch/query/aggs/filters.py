"""filter, filters, missing and global."""

from __future__ import annotations

from typing import Any

from quidditch.query.aggs.spec import VALUES, AggSpec, Reader, flag, json, resolve_field, text
from quidditch.query.compiler import compile_filter
from quidditch.query.context import QueryContext
from quidditch.query.errors import Malformed, argument
from quidditch.query.values import token_name

_FILTERS: dict[str, Reader] = {"filters": json, "other_bucket": flag, "other_bucket_key": text}


def filter_agg(spec: AggSpec, ctx: QueryContext) -> dict[str, Any]:
    return {"filter": compile_filter(spec.body, ctx)}


def filters(spec: AggSpec, ctx: QueryContext) -> dict[str, Any]:
    for key, value in spec.body.items():
        if key not in _FILTERS:
            raise Malformed(f"Unknown key for a {token_name(value)} in [{spec.name}]: [{key}].", spec.body, key)
    found = spec.read(_FILTERS)
    given = found.get("filters")
    if not given:
        raise argument("[filters] cannot be empty.")
    other = found.get("other_bucket", "other_bucket_key" in found)
    name = found.get("other_bucket_key", "_other_") if other else None
    if isinstance(given, dict):
        compiled = [[key, compile_filter(query, ctx, given, key)] for key, query in sorted(given.items())]
        return {"keyed": True, "filters": compiled, "other_bucket_key": name}
    if not isinstance(given, list):
        raise Malformed(f"Unknown key for a {token_name(given)} in [{spec.name}]: [filters].", spec.body, "filters")
    compiled = [[str(number), compile_filter(query, ctx, given, number)] for number, query in enumerate(given)]
    return {"keyed": False, "filters": compiled, "other_bucket_key": name}


def missing(spec: AggSpec, ctx: QueryContext) -> dict[str, Any]:
    found = spec.read(VALUES)
    resolve_field(spec, found, ctx)
    return found


def global_agg(spec: AggSpec, _ctx: QueryContext) -> dict[str, Any]:
    for key, value in spec.body.items():
        reason = f"Expected [FIELD_NAME] under a [START_OBJECT], but got a [{token_name(value)}] in [{spec.name}]"
        raise Malformed(reason, spec.body, key)
    return {}
