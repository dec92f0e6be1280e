"""`_count`."""

from __future__ import annotations

from quidditch.query.uri import QUERY_PARAMS
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route
from quidditch.rest.search import ask_of

_PARAMS = (
    "ignore_unavailable", "ignore_throttled", "allow_no_indices", "expand_wildcards", "min_score", "preference", "routing",
    "terminate_after", *QUERY_PARAMS,
)  # fmt: skip


async def count(request: Request, node: Node) -> Response:
    return Response.json(await node.search.queries.count(ask_of(request)))


ROUTES = [
    Route(method, path, count, _PARAMS, load="search", action="indices:data/read/search", reads=True)
    for method in ("GET", "POST")
    for path in ("/_count", "/{index}/_count")
]
