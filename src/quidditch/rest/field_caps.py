"""`_field_caps`: the fields of indices and what may be done with them."""

from __future__ import annotations

from quidditch.model.errors import illegal_argument
from quidditch.rest.node import Node
from quidditch.rest.request import Request, kind_of
from quidditch.rest.response import Response
from quidditch.rest.route import Route
from quidditch.rest.search import ask_of

_PARAMS = ("fields", "ignore_unavailable", "allow_no_indices", "expand_wildcards", "include_unmapped")


async def field_caps(request: Request, node: Node) -> Response:
    patterns = request.list("fields")
    index_filter = None
    for key, value in request.json_object_or_empty().items():
        if key == "index_filter" and isinstance(value, dict):
            index_filter = value
            continue
        if key != "fields" or patterns:
            raise illegal_argument(f"[field_caps] unknown field [{key}]")
        items = value if isinstance(value, list) else [value]
        if not all(isinstance(item, str) for item in items):
            raise illegal_argument(f"[field_caps] fields doesn't support values of type: {kind_of(value)}")
        patterns = items
    if not patterns:
        raise illegal_argument("specified fields can't be null or empty")
    return Response.json(await node.search.field_caps(ask_of(request), patterns, index_filter))


ROUTES = [
    Route(method, path, field_caps, _PARAMS, reads=True)
    for method in ("GET", "POST")
    for path in ("/_field_caps", "/{index}/_field_caps")
]
