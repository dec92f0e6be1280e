"""ip_range: a bucket for each range of addresses."""

from __future__ import annotations

from typing import Any

from quidditch.query.aggs.ranges import read_ranges
from quidditch.query.aggs.spec import VALUES, AggSpec, Reader, flag, json, resolve_field
from quidditch.query.context import QueryContext
from quidditch.query.fields import ip_of
from quidditch.query.values import read_text

_PARAMS: dict[str, Reader] = {**VALUES, "ranges": json, "keyed": flag}
_KEYS = ("from", "to", "key", "mask")


def ip_range(spec: AggSpec, ctx: QueryContext) -> dict[str, Any]:
    found = spec.read(_PARAMS)
    found["ranges"] = [_range(item) for item in read_ranges(spec, found, _KEYS)]
    resolve_field(spec, found, ctx, frozenset({"ip"}))
    return found


def _range(item: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"key": item.get("key")}
    if item.get("mask") is not None:
        found["mask"] = read_text(item["mask"], item, "mask")
        return found
    for name in ("from", "to"):
        found[name] = ip_of(read_text(item[name], item, name)) if item.get(name) is not None else None
    return found
